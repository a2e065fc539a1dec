"""Buffers move without an optimiser: no snapshot is called foreign for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import dlcc
from dlcc.records import Config, Series, Snapshots
from dlcc.runs import Run
from dlcc.stages.consistency.invariants import check_record
from dlcc.stages.consistency.ledger import Ledger
from tests.conftest import unlisted

STEPS = 60


class Centred(nn.Module):
    """A line through what it has seen so far."""

    total: torch.Tensor

    def __init__(self, name: str) -> None:
        super().__init__()
        self.line = nn.Linear(1, 1)
        self.name = name
        self.register_buffer(name, torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        getattr(self, self.name).add_(100.0)  # far, beside what the optimiser does
        found: torch.Tensor = self.line(x)
        return found


def recorded(folder: Path, buffer: str) -> Path:
    torch.manual_seed(0)
    net = Centred(buffer)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    with dlcc.Recorder(folder, players={"net": net}, length=STEPS) as rec:
        for step in range(STEPS):
            if step % 20 == 0:
                rec.snapshot(step)
            loss = net(torch.ones(4, 1)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rec.log(step, {"net/loss": loss.item()})
    return folder


def codes(folder: Path) -> list[str]:
    run, ledger = Run.open(folder), Ledger()
    config, series, snapshots = (kind.of(run, STEPS) for kind in (Config, Series, Snapshots))
    check_record(ledger, config, series, snapshots)
    return [finding.code for finding in ledger.findings]


@pytest.mark.parametrize("buffer", ["total", "running_mean"])
def test_buffers_are_named_in_the_record_and_do_not_count(tmp_path: Path, buffer: str) -> None:
    folder = recorded(tmp_path / "run", buffer)
    assert Run.open(folder).manifest.players["net"].buffers == (buffer,)
    assert "LOG006" not in codes(folder)


def test_a_record_cannot_call_its_weights_buffers(tmp_path: Path) -> None:
    """What is left must be as many numbers as there are parameters."""
    folder = recorded(tmp_path / "run", "total")
    file = unlisted(folder) / "run.json"
    content = json.loads(file.read_text())
    content["players"]["net"]["buffers"] = ["total", "line.weight", "line.bias"]
    file.write_text(json.dumps(content))
    assert "LOG006" in codes(folder)


@pytest.mark.parametrize(("buffer", "doubted"), [("total", True), ("running_mean", False)])
def test_a_record_that_names_none_has_those_of_batch_normalisation(
    tmp_path: Path, buffer: str, doubted: bool
) -> None:
    folder = recorded(tmp_path / "run", buffer)
    file = unlisted(folder) / "run.json"
    content = json.loads(file.read_text())
    del content["players"]["net"]["buffers"]
    file.write_text(json.dumps(content))
    assert ("LOG006" in codes(folder)) is doubted
