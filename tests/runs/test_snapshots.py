"""Snapshots restore a training bit for bit, and a damaged one is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dlcc.errors import OptionError, RunError, SnapshotError
from dlcc.runs import ProbedTraining, Recorder, Run, Training, resume
from tests.conftest import unlisted


def record(path: Path, training: Any, steps: int, every: int = 10) -> None:
    with Recorder(path, training=training) as recorder:
        for step in range(steps):
            if step % every == 0:
                recorder.snapshot(step, samples=training.sample(4, step))
            recorder.log(step, training.step(step))


def test_the_protocols(training: Any) -> None:
    assert isinstance(training, Training)
    assert isinstance(training, ProbedTraining)


def test_a_restored_training_goes_on_bit_for_bit(tmp_path: Path, make_training: Any) -> None:
    torch.manual_seed(0)
    original = make_training()
    record(tmp_path / "run", original, steps=20)
    run = Run.open(tmp_path / "run")

    torch.manual_seed(99)
    restored = make_training(seed=7)
    assert resume(restored, run) == 10
    losses = [restored.step(step)["model/loss"] for step in range(10, 20)]

    assert losses == run.series().columns["model/loss"].values[10:].tolist()
    a, b = original.state_dict(), restored.state_dict()
    for name, tensor in a["model"].items():
        assert torch.equal(tensor, b["model"][name])
    for key, values in a["optimizer"]["state"].items():
        for name, tensor in values.items():
            assert torch.equal(tensor, b["optimizer"]["state"][key][name])


def test_what_a_snapshot_holds(tmp_path: Path, training: Any) -> None:
    record(tmp_path / "run", training, steps=11)
    first, second = Run.open(tmp_path / "run").snapshots()
    assert (first.step, second.step) == (0, 10)
    assert second.resumable
    assert second.players == ("model",)
    weights = second.weights()
    assert set(weights) == {f"model/{name}" for name in training.model.state_dict()}
    assert weights["model/1.num_batches_tracked"] == 10
    assert second.weights("model").keys() == training.model.state_dict().keys()
    training.model.load_state_dict(second.torch_weights("model"))
    assert second.probe()["model/loss"] == 10
    assert second.probe()["model/outputs"].shape == (8, 2)
    assert Run.open(tmp_path / "run").samples(10).shape == (4, 2)


def test_without_a_training_snapshots_hold_weights(tmp_path: Path) -> None:
    players = {"generator": nn.Linear(2, 2).bfloat16()}
    with Recorder(tmp_path / "run", players=players) as recorder:
        recorder.snapshot(0)
        with pytest.raises(OptionError, match="there is no training"):
            recorder.resume()
    (snapshot,) = Run.open(tmp_path / "run").snapshots()
    assert not snapshot.resumable
    assert snapshot.probe() == {}
    assert np.array_equal(
        snapshot.weights()["generator/weight"],
        players["generator"].weight.detach().float().numpy(),
    )
    assert snapshot.torch_weights("generator")["bias"].dtype == torch.bfloat16
    with pytest.raises(SnapshotError, match="holds weights alone"):
        snapshot.state()
    with pytest.raises(SnapshotError, match="no player 'critic', found generator"):
        snapshot.weights("critic")


def test_nothing_to_resume(tmp_path: Path, training: Any) -> None:
    Recorder(tmp_path / "run", training=training).close()
    assert resume(training, tmp_path / "run") == 0
    with pytest.raises(RunError, match="no such file or folder"):
        resume(training, tmp_path / "absent")


def test_the_state_after_a_step_is_not_the_one_before_it(tmp_path: Path, training: Any) -> None:
    with Recorder(tmp_path / "run", training=training) as recorder:
        recorder.log(0, training.step(0))
        with pytest.raises(OptionError, match=r"snapshot\(0\) is the state before step 0.*\(1\)"):
            recorder.snapshot(0)
        recorder.snapshot(1)


def test_a_rewind_moves_later_snapshots_aside(tmp_path: Path, make_training: Any) -> None:
    path = tmp_path / "run"
    record(path, make_training(), steps=40)
    training = make_training()
    with Recorder(path, training=training) as recorder:
        assert recorder.resume() == 30
        training.load_state_dict(Run.open(path).snapshots()[1].state())  # a user goes further back
        for step in range(10, 22):
            if step == 20:
                recorder.snapshot(20)
            recorder.log(step, training.step(step))
    run = Run.open(path)
    assert [snapshot.step for snapshot in run.snapshots()] == [0, 10, 20]
    assert run.sample_steps() == [0, 10]
    assert run.series().rewinds == ((39, 10),)
    branch = run.layout.superseded_branch(0)
    assert branch.snapshot_steps() == [20, 30]
    assert branch.sample_steps() == [20, 30]


def test_resuming_keeps_the_snapshot_it_began_with(tmp_path: Path, make_training: Any) -> None:
    path = tmp_path / "run"
    record(path, make_training(), steps=25)
    created = Run.open(path).snapshots()[-1].manifest.created
    training = make_training()
    with Recorder(path, training=training) as recorder:
        start = recorder.resume()
        assert start == 20
        recorder.snapshot(start)
        recorder.log(start, training.step(start))
    run = Run.open(path)
    assert run.snapshots()[-1].manifest.created == created
    assert not run.layout.superseded.exists()
    assert len(run.series().columns["model/loss"].steps) == 21


def test_training_from_scratch_in_the_same_folder(tmp_path: Path, make_training: Any) -> None:
    path = tmp_path / "run"
    record(path, make_training(), steps=21)
    record(path, make_training(), steps=5)
    run = Run.open(path)
    assert [snapshot.step for snapshot in run.snapshots()] == [0]
    assert run.layout.superseded_branch(0).snapshot_steps() == [0, 10, 20]
    assert run.series().columns["model/loss"].steps.tolist() == list(range(5))
    assert run.series().columns["model/updates"].values.tolist() == [1, 2, 3, 4, 5]


def test_a_state_that_cannot_be_recorded_leaves_nothing(tmp_path: Path, training: Any) -> None:
    training.average = object()
    with (
        Recorder(tmp_path / "run", training=training) as recorder,
        pytest.raises(OptionError, match="state key state/average"),
    ):
        recorder.snapshot(0)
    assert Run.open(tmp_path / "run").snapshots() == []
    assert list((tmp_path / "run" / "snapshots").iterdir()) == []


def test_damage_is_refused_by_name(tmp_path: Path, training: Any) -> None:
    record(tmp_path / "run", training, steps=1)
    (snapshot,) = Run.open(tmp_path / "run").snapshots()
    readers = {
        "players.safetensors": "weights",
        "state.safetensors": "state",
        "probe.safetensors": "probe",
    }
    for name, reader in readers.items():
        path = snapshot.path / name
        data = path.read_bytes()
        flipped = bytearray(data)
        flipped[len(data) // 2] ^= 4
        for content in (bytes(flipped), data[:-5], b""):
            path.write_bytes(content)
            with pytest.raises(SnapshotError, match=name.replace(".", r"\.")):
                getattr(Run.open(tmp_path / "run").snapshots()[0], reader)()
        path.unlink()
        with pytest.raises(SnapshotError, match=f"{name}: missing"):
            getattr(snapshot, reader)()
        path.write_bytes(data)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"schema": 2}, "key schema: expected at most 1, found 2; update dlcc"),
        ({"step": 7}, "key step: expected 0 as its folder is named, found 7"),
        ({"step": "0"}, "key step"),
        ({"files": {}}, r"lists no players\.safetensors"),
        ({"extra": 1}, "key extra"),
        ({"players": {"model": ["absent"]}}, "lists 'model/absent'"),
    ],
)
def test_a_forged_snapshot_json(
    tmp_path: Path, training: Any, change: dict[str, Any], what: str
) -> None:
    record(tmp_path / "run", training, steps=1)
    path = unlisted(tmp_path / "run") / "snapshots" / "00000000" / "snapshot.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    (snapshot,) = Run.open(tmp_path / "run").snapshots()
    with pytest.raises(SnapshotError, match=rf"snapshot\.json: .*{what}"):
        snapshot.weights("model")


def test_a_cut_snapshot_json(tmp_path: Path, training: Any) -> None:
    record(tmp_path / "run", training, steps=1)
    path = unlisted(tmp_path / "run") / "snapshots" / "00000000" / "snapshot.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(SnapshotError, match=r"snapshot\.json: not valid JSON"):
        _ = Run.open(tmp_path / "run").snapshots()[0].resumable


@pytest.mark.parametrize("samples", [np.zeros((0, 2)), np.float64(3), 3.0, torch.tensor(1.0)])
def test_samples_need_rows(tmp_path: Path, samples: Any) -> None:
    with (
        Recorder(tmp_path / "run") as recorder,
        pytest.raises(OptionError, match="samples: expected an array"),
    ):
        recorder.samples(0, samples)
