"""What was measured at a snapshot travels whole, and damage is told in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcc import Recorder
from dlcc.errors import OptionError, SnapshotError
from dlcc.landscape.summary import GameSummary, LandscapeSummary, PathSummary, PlayerSummary
from dlcc.runs import Run
from dlcc.runs.snapshot_landscape import SCHEMA, SnapshotLandscape, read_landscape, write_landscape

PLAYER = PlayerSummary(1.0, 2.0, -1.0, 0.1, 3.0, 0.1, 4.0, 1.0, (0.0, 1.0), (1.0, None))
RECORD = SnapshotLandscape(
    SCHEMA,
    5,
    32,
    0.1,
    0,
    LandscapeSummary(
        {"generator": PLAYER},
        GameSummary((1.0, 0.5), (2.0, 0.0), (0.0, 0.1), 0.5, (1.0, 2.0)),
        PathSummary((0.0, 1.0), (1.0, -1.0), (0.5, 0.5)),
    ),
)


def test_a_record_travels_whole(tmp_path: Path) -> None:
    path = tmp_path / "landscape.json"
    write_landscape(path, RECORD)
    assert read_landscape(path, 5) == RECORD


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c.update(schema=9), "key schema: expected at most 1, found 9; update dlcc"),
        (lambda c: c.update(step=6), "key step: expected 5 as its folder is named, found 6"),
        (lambda c: c.update(more=1), "key more"),
        (lambda c: c["survey"]["game"].update(rotation="much"), "key survey.game.rotation"),
        (lambda c: c["survey"]["game"].update(rotation=float("nan")), "finite number"),
        (lambda c: c["survey"]["game"].update(errors=[0.0]), "real has 2, .*errors has 1"),
        (lambda c: c["survey"]["path"].update(at=[0.0]), "at has 1, cosine has 2"),
        (lambda c: c["survey"]["players"]["generator"].update(slice_at=[]), "slice_at has 0"),
        (lambda c: c.pop("survey"), "key survey: field required"),
    ],
)
def test_damage_is_named(tmp_path: Path, change: Any, words: str) -> None:
    path = tmp_path / "landscape.json"
    write_landscape(path, RECORD)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(SnapshotError, match=words) as caught:
        read_landscape(path, 5)
    assert str(path) in str(caught.value)


def test_a_file_that_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "landscape.json"
    path.write_text('{"schema": 1')
    with pytest.raises(SnapshotError, match="not valid JSON"):
        read_landscape(path, 5)


def loss_of_each(model: nn.Module, batch: Tensor) -> Tensor:
    found: Tensor = (model(batch) - 1).square().sum(dim=1)
    return found


def test_a_landscape_lies_beside_its_snapshot(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    with Recorder(tmp_path / "run", players={"net": model}, length=10) as rec:
        measure = rec.measure({"net": loss_of_each})
        for step in (0, 5):
            rec.snapshot(step)
            measure.landscape(step, {"net": torch.randn(8, 3)})
            with torch.no_grad():
                model.weight.add_(1.0)
        first, second = (snapshot.landscape() for snapshot in Run.open(rec.path).snapshots())
        assert first is not None
        assert second is not None
        assert (first.step, first.since) == (0, None)
        assert (second.step, second.since) == (5, 0)
        assert second.survey.players["net"].curvature_class == "convex"
        measure.landscape(5, {"net": torch.randn(8, 3)})  # looked at already
        assert Run.open(rec.path).snapshots()[1].landscape() == second


def test_a_landscape_needs_its_snapshot(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", players={"net": nn.Linear(3, 2)}, length=10) as rec:
        measure = rec.measure({"net": loss_of_each})
        with pytest.raises(OptionError, match=r"landscape\(3\): there is no snapshot"):
            measure.landscape(3, {"net": torch.randn(8, 3)})


def test_losses_that_are_not_finite_leave_no_landscape(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", players={"net": nn.Linear(3, 2)}, length=10) as rec:
        measure = rec.measure({"net": loss_of_each})
        rec.snapshot(0)
        measure.landscape(0, {"net": torch.full((8, 3), torch.inf)})
        assert Run.open(rec.path).snapshots()[0].landscape() is None


def test_the_rows_are_those_that_there_were(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", players={"net": nn.Linear(3, 2)}, length=10) as rec:
        rec.snapshot(0)
        rec.measure({"net": loss_of_each}, rows=32).landscape(0, {"net": torch.randn(5, 3)})
        found = Run.open(rec.path).snapshots()[0].landscape()
    assert found is not None
    assert found.rows == 5


@pytest.mark.parametrize("change", ["wrapped", "grown", "damaged"])
def test_what_a_snapshot_before_may_be_like(tmp_path: Path, change: str) -> None:
    plain = nn.Sequential(nn.Linear(3, 2))
    model = torch.compile(plain, backend="eager") if change == "wrapped" else plain
    assert isinstance(model, nn.Module)
    path, batch = tmp_path / "run", {"net": torch.randn(8, 3)}
    with Recorder(path, players={"net": model}, length=10, track_updates=False) as rec:
        measure = rec.measure({"net": loss_of_each})
        rec.snapshot(0)
        if change == "grown":
            plain.append(nn.Linear(2, 2))
        if change == "damaged":
            rec.layout.snapshot(0).players.write_bytes(b"cut")
        rec.snapshot(5)
        measure.landscape(5, batch)
        found = Run.open(rec.path).snapshots()[-1].landscape()
    assert found is not None
    assert found.since == (0 if change == "wrapped" else None)
