"""Histories that frameworks write: by the libraries themselves where they are installed."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightning")
pytest.importorskip("transformers")

from lightning.pytorch.loggers import CSVLogger
from transformers import TrainerState

from dlcc.errors import DlccError, RunError
from dlcc.runs.formats import open_path
from dlcc.runs.formats.discovery import find_runs
from dlcc.runs.formats.foreign import ForeignContents
from dlcc.runs.raw_table import RawTable


def read(path: Path) -> RawTable:
    (record,) = find_runs(path).records
    return record.read()


def trainer_state(folder: Path, steps: int) -> list[dict[str, float]]:
    rows: list[dict[str, float]] = []
    for step in range(2, steps + 1, 2):
        rows.append({"epoch": step / 8, "loss": 1 / step, "learning_rate": 1e-4, "step": step})
        if step % 8 == 0:
            rows.append({"epoch": step / 8, "eval_loss": 2 / step, "step": step})
    state = TrainerState(log_history=rows, global_step=steps, max_steps=64)
    folder.mkdir(parents=True)
    state.save_to_json(str(folder / "trainer_state.json"))
    return rows


def test_a_trainer_state_equals_its_history(tmp_path: Path) -> None:
    trainer_state(tmp_path / "checkpoint-8", 8)
    longest = trainer_state(tmp_path / "checkpoint-64", 64)
    trainer_state(tmp_path / "checkpoint-32", 32)
    table = read(tmp_path)
    assert table.title == "Hugging Face trainer state"
    for name in ("loss", "eval_loss", "step"):
        assert table.columns[name].values.tolist() == [r[name] for r in longest if name in r]
        at = [i for i, r in enumerate(longest) if name in r]
        assert table.columns[name].rows.tolist() == at
    assert table.config["max_steps"] == 64
    series = open_path(tmp_path, {}).series(None)
    assert series.columns["model/loss"].steps.tolist() == list(range(2, 65, 2))
    assert series.columns["validation/loss"].steps.tolist() == list(range(8, 65, 8))


def test_the_state_of_the_end_holds_those_of_the_checkpoints(tmp_path: Path) -> None:
    trainer_state(tmp_path / "out" / "checkpoint-8", 8)
    trainer_state(tmp_path / "end", 64)
    (tmp_path / "end" / "trainer_state.json").rename(tmp_path / "out" / "trainer_state.json")
    assert find_runs(tmp_path).names == ("out",)
    assert read(tmp_path).config["global_step"] == 64


def test_one_checkpoint_alone_can_be_named(tmp_path: Path) -> None:
    for steps in (8, 64):
        trainer_state(tmp_path / f"checkpoint-{steps}", steps)
    assert find_runs(tmp_path / "checkpoint-8").names == ("checkpoint-8",)
    assert len(find_runs(tmp_path).records) == 1


def test_a_diverged_trainer_state(tmp_path: Path) -> None:
    rows = [{"loss": 0.5, "step": 1}, {"loss": float("nan"), "step": 2}]
    TrainerState(log_history=rows).save_to_json(str(tmp_path / "trainer_state.json"))
    values = read(tmp_path).columns["loss"].values
    assert values[0] == 0.5
    assert np.isnan(values[1])


def test_lightnings_logger_with_its_hyperparameters(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    logger.log_hyperparams({"lr": 0.5, "objective": "hinge"})
    for step in range(60):
        logger.log_metrics(
            {"d_loss": 1 / (step + 1), "g_loss": step / 3, "epoch": step // 20}, step
        )
        if step % 20 == 19:
            logger.log_metrics({"val_fid": 100.0 - step, "epoch": step // 20}, step)
    logger.save()
    table = read(tmp_path)
    assert table.title == "Lightning metrics.csv"
    assert table.columns["d_loss"].values.tolist() == [1 / (s + 1) for s in range(60)]
    assert table.columns["val_fid"].values.tolist() == [81.0, 61.0, 41.0]
    contents = open_path(tmp_path, {})
    series = contents.series(None)
    assert series.columns["generator/loss"].steps.tolist() == list(range(60))
    assert series.columns["generator/loss"].values.tolist() == [s / 3 for s in range(60)]
    assert contents.manifest.config["lr"] == 0.5


def test_keras_csv_logger(tmp_path: Path) -> None:
    rows = [f"{e},{1 / (e + 1)},{0.5 + e / 100},{2 / (e + 1)}" for e in range(40)]
    (tmp_path / "training.log").write_text(
        "epoch,accuracy,loss,val_loss\n" + "\n".join(rows) + "\n"
    )
    table = read(tmp_path)
    assert table.columns["val_loss"].values.tolist() == [2 / (e + 1) for e in range(40)]
    series = open_path(tmp_path, {}).series(None)
    assert series.columns["model/loss"].steps.tolist() == list(range(40))


def test_keras_history(tmp_path: Path) -> None:
    history = {"loss": [1 / (e + 1) for e in range(30)], "val_loss": [2.0] * 29 + [float("nan")]}
    (tmp_path / "history.json").write_text(json.dumps(history))
    table = read(tmp_path)
    assert table.columns["loss"].values.tolist() == history["loss"]
    assert np.isnan(table.columns["val_loss"].values[-1])


def test_chainer_log(tmp_path: Path) -> None:
    rows = [
        {"gen/loss": 1 + i / 9, "dis/loss": 1 / (i + 1), "epoch": i // 4, "iteration": 100 * i,
         "elapsed_time": 7.5 * i}
        for i in range(40)
    ]  # fmt: skip
    (tmp_path / "log").write_text(json.dumps(rows, indent=4))
    table = read(tmp_path)
    assert table.title == "Chainer log"
    assert table.columns["dis/loss"].values.tolist() == [r["dis/loss"] for r in rows]
    series = open_path(tmp_path, {}).series(None)
    assert series.columns["generator/loss"].steps.tolist() == [100 * i for i in range(40)]


@pytest.mark.parametrize("flip", [False, True])
def test_damaged_json_keeps_whole_rows_or_says_why(tmp_path: Path, flip: bool) -> None:
    rows = [{"iteration": i, "loss": 1 / (i + 1)} for i in range(100)]
    whole = json.dumps(rows).encode()
    path = tmp_path / "log"
    rng = random.Random(int(flip))
    for _ in range(20):
        at = rng.randrange(40, len(whole))
        data = bytearray(whole) if flip else bytearray(whole[:at])
        if flip:
            data[at] ^= 1 << rng.randrange(7)
        path.write_bytes(data)
        try:
            contents = open_path(tmp_path, {})
        except DlccError as error:
            assert str(tmp_path) in str(error)  # noqa: PT017  # not all damage is an error
            continue
        assert isinstance(contents, ForeignContents)
        table = contents.table
        if not flip:
            assert table.notes
            count = table.rows - 1
            assert table.dense("loss")[:count].tolist() == [1 / (i + 1) for i in range(count)]


def test_json_that_is_nested_too_deeply(tmp_path: Path) -> None:
    (tmp_path / "log.json").write_text('{"loss": [1, 2], "deep": ' + "[" * 100_000)
    with pytest.raises(RunError, match=r"log\.json"):
        open_path(tmp_path, {})
