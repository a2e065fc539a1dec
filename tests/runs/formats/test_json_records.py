"""JSON Lines, histories in one document, and StyleGAN's folders."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from dlcc.errors import RunError
from dlcc.runs import Run
from dlcc.runs.formats.foreign import ForeignContents


def opened(path: Path) -> ForeignContents:
    contents = Run.open(path).contents
    assert isinstance(contents, ForeignContents)
    return contents


def test_lines_with_nested_values(tmp_path: Path) -> None:
    rows = [{"step": i, "loss": {"d": 1 / (i + 1), "g": i}, "phase": "warm"} for i in range(9)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    series = Run.open(tmp_path).series()
    assert series["discriminator/loss"].values.tolist() == [1 / (i + 1) for i in range(9)]
    assert series["generator/loss"].steps.tolist() == [*range(9)]


def test_lines_that_are_none_are_counted(tmp_path: Path) -> None:
    rows = [json.dumps({"step": i, "d_loss": 1, "g_loss": float("nan")}) for i in range(9)]
    rows[4] = rows[4][:-3]
    (tmp_path / "log.jsonl").write_text("\n".join(rows) + "\n")
    contents = opened(tmp_path)
    assert len(contents.series(None)["discriminator/loss"].values) == 8
    assert math.isnan(contents.series(None)["generator/loss"].values[0])
    assert any(
        "line 5: no JSON object" in note and "1 such lines" in note for note in contents.notes
    )


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ([{"iteration": i, "loss_gen": 2.0, "loss_dis": 1.0, "elapsed_time": i} for i in range(8)],
         "Chainer log"),
        ({"G_loss": [2.0] * 8, "D_loss": [1.0] * 8}, "Keras-like history"),
        ({"best": 3, "log_history": [{"step": i, "g_loss": 2.0, "d_loss": 1.0} for i in range(8)]},
         "Hugging Face trainer state"),
        ({"history": {"g_loss": [2.0] * 8, "d_loss": [1.0] * 8}, "lr": 0.1}, "Keras-like history"),
    ],
)  # fmt: skip
def test_documents(content: Any, title: str, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text(json.dumps(content))
    contents = opened(tmp_path)
    assert contents.table.title == title
    assert contents.series(None)["generator/loss"].values.tolist() == [2.0] * 8
    assert contents.series(None)["discriminator/loss"].values.tolist() == [1.0] * 8


def test_a_list_cut_anywhere_keeps_its_whole_rows(tmp_path: Path) -> None:
    rows = [{"iteration": i, "loss_gen": i / 3, "loss_dis": i / 7} for i in range(40)]
    text = json.dumps(rows, indent=1)
    rng = random.Random(1)
    for cut in (rng.randrange(300, len(text)) for _ in range(20)):
        (tmp_path / "log").write_text(text[:cut])
        contents = opened(tmp_path)
        found = contents.series(None)["generator/loss"].values.tolist()
        assert found == [i / 3 for i in range(len(found))]
        assert len(found) >= text[:cut].count("}") - 1
        assert any("damaged" in note for note in contents.notes)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '[{"a": ' + "[" * 100_000])
def test_deep_nesting_is_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text(text)
    with pytest.raises(RunError) as caught:
        Run.open(tmp_path)
    assert "\n" not in str(caught.value)


def stylegan(tmp_path: Path) -> Path:
    rows = [
        {"Loss/G/loss": {"num": 8, "mean": 1.5, "std": 0.1},
         "Loss/D/loss": {"num": 8, "mean": 1.0, "std": 0.1},
         "Loss/scores/real": {"num": 8, "mean": 2.5, "std": 1.0},
         "Progress/kimg": {"num": 1, "mean": 4.0 * i, "std": 0.0}, "timestamp": 1.6e9 + i}
        for i in range(30)
    ]  # fmt: skip
    (tmp_path / "stats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    metrics = [
        {"results": {"fid50k_full": fid}, "metric": "fid50k_full",
         "snapshot_pkl": f"network-snapshot-{kimg:06d}.pkl"}
        for kimg, fid in ((0, 300.0), (40, 60.0), (80, 30.0), (112, 31.0))
    ]  # fmt: skip
    (tmp_path / "metric-fid50k_full.jsonl").write_text(
        "".join(json.dumps(m) + "\n" for m in metrics)
    )
    (tmp_path / "training_options.json").write_text(
        json.dumps({"batch_size": 8, "loss": {"r1": 10}})
    )
    (tmp_path / "log.txt").write_text(
        "tick 0 kimg 0.0 sec/tick 3.1\ntick 1 kimg 4.0 sec/tick 3.2\n"
    )
    return tmp_path


def test_a_stylegan_folder(tmp_path: Path) -> None:
    contents = opened(stylegan(tmp_path))
    series = contents.series(None)
    assert contents.axis.unit == "kimg"
    assert series["metrics/fid"].steps.tolist() == [0, 40, 80, 112]
    assert series["metrics/fid"].values.tolist() == [300.0, 60.0, 30.0, 31.0]
    assert series["discriminator/real"].values[0] == 2.5
    assert contents.manifest.config["batch_size"] == 8
    assert contents.clock()[1][0] == 1.6e9
    assert any("log.txt: not read" in note for note in contents.notes)
