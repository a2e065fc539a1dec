"""File stores of MLflow, of the shape that MLflow 3.17 writes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dlcc.errors import RunError
from dlcc.runs.formats import open_path
from dlcc.runs.formats.discovery import find_runs

START = 1_671_629_813_010
Rows = Sequence[tuple[object, ...]]


def run(root: Path, key: str, metrics: dict[str, Rows], name: str = "", **params: object) -> Path:
    """Write a run of the experiment 1."""
    folder = root / "mlruns" / "1" / key
    (folder / "tags").mkdir(parents=True)
    (folder / "meta.yaml").write_text(
        f"artifact_uri: file:///x/1/{key}/artifacts\nlifecycle_stage: active\nrun_id: {key}\n"
    )
    (folder.parent / "meta.yaml").write_text("experiment_id: '1'\nname: GAN\n")
    if name:
        (folder / "tags" / "mlflow.runName").write_text(name)
    for metric, rows in metrics.items():
        path = folder / "metrics" / metric
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows))
    for param, value in params.items():
        (folder / "params").mkdir(exist_ok=True)
        (folder / "params" / param).write_text(str(value))
    return folder


def losses(count: int, stride: int = 7) -> dict[str, Rows]:
    return {
        "Discriminator loss": [(START + 200 * i, 1 / (i + 1), stride * i) for i in range(count)],
        "Generator loss": [(START + 200 * i, i / 4, stride * i) for i in range(count)],
    }


def test_a_run_and_an_empty_one(tmp_path: Path) -> None:
    run(tmp_path, "a" * 32, losses(50), "Run_0", lr=0.5, loss="hinge")
    run(tmp_path, "b" * 32, {}, "Parent")
    found = find_runs(tmp_path)
    assert found.names == ("mlruns/1/Run_0",)
    assert found.notes == (f"{tmp_path}: run Parent (bbbbbbbb) without metrics: left out",)
    table = found.records[0].read()
    assert table.steps is not None
    assert table.steps.tolist() == [7 * i for i in range(50)]
    assert table.dense("Discriminator loss").tolist() == [1 / (i + 1) for i in range(50)]
    assert table.dense("Generator loss").tolist() == [i / 4 for i in range(50)]
    assert table.clock is not None
    assert table.clock[3] == (START + 600) / 1000
    assert dict(table.config) == {"lr": 0.5, "loss": "hinge"}
    contents = open_path(tmp_path, {})
    assert set(contents.series(None).columns) == {"discriminator/loss", "generator/loss"}
    assert contents.manifest.objective == {"kind": "gan", "loss": "hinge"}


def test_the_folder_of_the_run_itself(tmp_path: Path) -> None:
    folder = run(tmp_path, "a" * 32, losses(20), "Run_0")
    assert find_runs(folder).names == ("Run_0",)


def test_nested_names_and_special_values(tmp_path: Path) -> None:
    rows = [(START, "nan", 0), (START + 1, "inf", 1), (START + 2, "-inf", 2), (START + 3, 0.1, 3)]
    run(tmp_path, "a" * 32, {"val/loss/d": rows})
    values = find_runs(tmp_path).records[0].read().columns["val/loss/d"].values
    assert np.isnan(values[0])
    assert values[1:].tolist() == [np.inf, -np.inf, 0.1]


def test_metrics_without_steps_count_by_their_order(tmp_path: Path) -> None:
    run(tmp_path, "a" * 32, losses(30, stride=0))
    table = find_runs(tmp_path).records[0].read()
    assert table.steps is None
    assert table.dense("Generator loss").tolist() == [i / 4 for i in range(30)]


def test_one_metric_without_steps_stands_where_the_others_were(tmp_path: Path) -> None:
    fid = [(START + 2000 * i + 50, 100 - i, 0) for i in range(5)]
    run(tmp_path, "a" * 32, {**losses(50), "fid": fid})
    table = find_runs(tmp_path).records[0].read()
    assert table.steps is not None
    assert table.steps[table.columns["fid"].rows].tolist() == [70 * i for i in range(5)]


def test_a_training_begun_anew_in_the_same_run(tmp_path: Path) -> None:
    again = {
        name: [*rows, *((int(str(r[0])) + 10**6, 9.0, r[2]) for r in rows)]
        for name, rows in losses(30).items()
    }
    run(tmp_path, "a" * 32, again)
    table = find_runs(tmp_path).records[0].read()
    assert table.steps is not None
    assert table.steps.tolist() == [7 * i for i in range(30)] * 2
    judged = open_path(tmp_path, {}).series(None).columns["generator/loss"]
    assert set(judged.values.tolist()) == {9.0}


def test_a_deleted_run_is_marked(tmp_path: Path) -> None:
    folder = run(tmp_path, "a" * 32, losses(30))
    meta = folder / "meta.yaml"
    meta.write_text(meta.read_text().replace("active", "deleted"))
    run(tmp_path, "b" * 32, losses(20), "kept")
    assert find_runs(tmp_path).names == (f"mlruns/1/{'a' * 32} (deleted)", "mlruns/1/kept")


def test_cut_and_junk_lines(tmp_path: Path) -> None:
    folder = run(tmp_path, "a" * 32, losses(60), "Run_0")
    path = folder / "metrics" / "Generator loss"
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(20):
        at = rng.randrange(1, len(whole))
        path.write_bytes(whole[:at])
        table = find_runs(tmp_path).records[0].read()
        kept = whole[:at].count(b"\n")
        assert table.dense("Generator loss")[:kept].tolist() == [i / 4 for i in range(kept)]
        assert len(table.columns["Generator loss"].rows if kept else ()) == kept
        assert whole[at - 1 : at] == b"\n" or any("Generator loss" in note for note in table.notes)
    lines = whole.split(b"\n")
    path.write_bytes(b"\n".join([*lines[:3], b"oops", b"\xff\x00", *lines[3:]]))
    table = find_runs(tmp_path).records[0].read()
    assert len(table.columns["Generator loss"].rows) == 60
    assert "line 4: expected milliseconds" in table.notes[0]
    assert "2 such lines" in table.notes[0]


def test_without_any_value_the_error_says_so(tmp_path: Path) -> None:
    run(tmp_path, "a" * 32, {"loss": [("x", "y", "z")]})
    with pytest.raises(RunError, match="no value of any metric"):
        find_runs(tmp_path).records[0].read()


def test_hostile_steps(tmp_path: Path) -> None:
    rows = [(START, 1.0, 10**30), (START, 1.0, -5), (START, 1.0, 3), ("1e999", 2.0, 4)]
    run(tmp_path, "a" * 32, {"loss": rows})
    table = find_runs(tmp_path).records[0].read()
    assert table.dense("loss").tolist() == [1.0, 2.0]
