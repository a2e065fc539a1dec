"""Lists that a script printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcc.runs import Run
from dlcc.runs.formats.foreign import ForeignContents


@pytest.mark.parametrize(
    "text",
    [
        "G_losses = [{g}]\nD_losses = [{d}]\n",
        "{{'g_loss': [{g}], 'd_loss': [{d}]}}\n",
        "g loss: [{g}]\n\nd loss: [{d}]",
    ],
)
def test_lists_are_columns(text: str, tmp_path: Path) -> None:
    g, d = [i / 4 for i in range(40)], [1 / (i + 1) for i in range(40)]
    made = text.format(g=", ".join(map(repr, g)), d=", ".join(map(repr, d)))
    (tmp_path / "losses.txt").write_text(made)
    series = Run.open(tmp_path).series()
    assert series["generator/loss"].values.tolist() == g
    assert series["discriminator/loss"].values.tolist() == d


def test_a_shorter_list_was_taken_every_so_many_steps(tmp_path: Path) -> None:
    lists = {"g_loss": [0.5] * 40, "d_loss": [0.5] * 40, "fid": [90.0 - i for i in range(10)]}
    (tmp_path / "out.txt").write_text(
        "".join(f"{name} = {values}\n" for name, values in lists.items())
    )
    assert Run.open(tmp_path).series()["metrics/fid"].steps.tolist() == [*range(3, 40, 4)]


def test_a_list_that_is_cut_loses_its_last_number(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("g_loss = " + str([i / 8 for i in range(40)])[:-3])
    run = Run.open(tmp_path)
    assert run.series()["generator/loss"].values.tolist() == [i / 8 for i in range(39)]
    assert any("does not end" in note for note in run.notes)


def test_lists_within_a_log_are_no_record_of_their_own(tmp_path: Path) -> None:
    rows = "".join(f"epoch {i} d_loss 0.{i} g_loss 0.{i}\n" for i in range(40))
    (tmp_path / "train.log").write_text("milestones = [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + rows)
    assert Run.open(tmp_path).series().rows == 40


def test_a_log_that_prints_a_list_a_row_is_a_log(tmp_path: Path) -> None:
    rows = "".join(f"INFO:base:[{i}.5, 1, 2, 3, 4, 5, 6, 7, {i * 100}]\n" for i in range(30))
    (tmp_path / "train.log").write_text(rows)
    contents = Run.open(tmp_path).contents
    assert isinstance(contents, ForeignContents)
    assert contents.table.title == "text log"
