"""Trials of averages at later steps: one that begins late is told from one that never does."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import dlcc
from dlcc.records import Config, Snapshots, Sources
from dlcc.runs import Run
from dlcc.stages.consistency.steps.later_averages import LaterAverages
from dlcc.stages.consistency.steps.own_code import OwnCode


class Clock:
    """Number of steps done, kept in snapshots."""

    def __init__(self) -> None:
        self.steps = 0

    def state_dict(self) -> dict[str, int]:
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.steps = state["steps"]


def build(config: dict[str, Any]) -> dlcc.Training:
    """Training with an average that begins when, and moves as far as, the configuration says."""
    data = torch.randn(64, 3, generator=torch.Generator().manual_seed(0))
    net = nn.Linear(3, 3)
    ema = copy.deepcopy(net)
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    clock, unsaved = Clock(), [0]

    def step(x: torch.Tensor, i: int) -> dict[str, torch.Tensor]:
        loss = (net(x) - x).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        clock.steps += 1
        unsaved[0] += 1
        now = {"step": i, "clock": clock.steps, "unsaved": unsaved[0], "never": -1}
        if now[config["by"]] >= config["begins"] and i % config["interval"] == 0:
            with torch.no_grad():
                for a, b in zip(ema.parameters(), net.parameters(), strict=True):
                    a.lerp_(b, 0.1 if i >= config["copies"] else 1.0)
        return {"model/loss": loss.detach()}

    return dlcc.Training.from_step(
        {"model": net}, step, sample=lambda n: ema(torch.randn(n, 3)), data=data, batch=16
    )


@pytest.mark.parametrize(
    ("config", "copies", "later"),
    [
        ({"by": "never"}, False, True),
        ({"by": "step", "begins": 1_000}, False, False),
        ({"by": "clock", "begins": 50_000}, False, False),
        ({"by": "unsaved", "begins": 1_500}, False, False),
        ({"by": "step", "begins": 1_000, "interval": 10}, False, False),
        ({"copies": 1_000}, True, False),
        ({"copies": 10**9}, True, True),
    ],
)
def test_what_an_average_does_later_is_told(
    tmp_path: Path, config: dict[str, Any], copies: bool, later: bool
) -> None:
    whole = {"by": "step", "begins": 0, "interval": 1, "copies": 0, "seed": 1, **config}
    with dlcc.Recorder(
        tmp_path / "run", build=build, length=6, objective={"kind": "vae"}, config=whole
    ) as recorder:
        recorder.train(snapshots=3)
    run = Run.open(tmp_path / "run")
    parts = (Config.of(run, None), Sources.of(run, None), Snapshots.of(run, None))
    with OwnCode(*parts, trust=True, seconds=lambda: 100.0) as code:
        assert LaterAverages(code)("ema", "model", copies) is later


def test_without_code_it_cannot_be_told() -> None:
    config = Config({}, {}, {}, {}, None, 10, None, {}, {})
    with OwnCode(config, None, None, trust=True, seconds=lambda: 9.0) as code:
        assert LaterAverages(code)("ema", "model", False) is None
