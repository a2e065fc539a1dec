"""CSV files that the pages of loggers export."""

from __future__ import annotations

from pathlib import Path

from dlcc.runs import Run
from dlcc.runs.formats.discovery import find_runs

HEADER = "Wall time,Step,Value\n"


def exported(folder: Path, run: str = ".") -> None:
    for tag, first in (("Loss_D", 1.4), ("Loss_G", 0.7)):
        rows = "".join(f"{1.6e9 + i},{i * 10},{first + i / 8}\n" for i in range(20))
        (folder / f"run-{run}-tag-{tag}.csv").write_text(HEADER + rows)


def test_the_tags_of_tensorboards_export_are_one_run(tmp_path: Path) -> None:
    exported(tmp_path)
    series = Run.open(tmp_path).series()
    assert series["discriminator/loss"].steps.tolist() == [i * 10 for i in range(20)]
    assert series["generator/loss"].values.tolist() == [0.7 + i / 8 for i in range(20)]


def test_exports_of_several_runs_are_told_apart(tmp_path: Path) -> None:
    exported(tmp_path, "first")
    exported(tmp_path, "second")
    assert find_runs(tmp_path).names == ("first", "second")
    assert Run.open(tmp_path, part="second").series().rows == 20


def test_the_runs_name_in_wandbs_export_is_no_part_of_a_columns(tmp_path: Path) -> None:
    header = '"Step","sunny-3 - d_loss","sunny-3 - d_loss__MIN","sunny-3 - g_loss"\n'
    rows = "".join(f'"{i}","1.{i}","1.{i}","0.{i}"\n' for i in range(20))
    (tmp_path / "wandb_export.csv").write_text(header + rows)
    assert set(Run.open(tmp_path).series()) == {"discriminator/loss", "generator/loss"}
