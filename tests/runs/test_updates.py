"""Optimiser steps and update norms, tracked row by row."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlcc.errors import OptionError
from dlcc.runs import Recorder, Run
from dlcc.runs.updates import NORM_EVERY
from tests.runs.conftest import LOSS, column


def steps_of(path: Path, name: str) -> list[int]:
    steps: list[int] = Run.open(path).series()[name].steps.tolist()
    return steps


def distance(module: nn.Module, before: list[torch.Tensor]) -> float:
    pairs = zip(module.parameters(), before, strict=True)
    return sum(((a - b) ** 2).sum() for a, b in pairs).sqrt().item()  # type: ignore[union-attr]


def test_updates_are_counted_and_measured_per_player(tmp_path: Path) -> None:
    players = {"generator": nn.Linear(3, 2), "discriminator": nn.Linear(2, 1)}
    g = torch.optim.SGD(players["generator"].parameters(), lr=0.5)
    d = torch.optim.SGD(players["discriminator"].parameters(), lr=0.1)
    stranger = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=0.1)
    norms, rows = [], 2 * NORM_EVERY
    with Recorder(tmp_path / "run", players=players) as recorder:
        for step in range(rows):
            if step in (0, NORM_EVERY, NORM_EVERY + 5):
                recorder.snapshot(step)
                before = [p.detach().clone() for p in players["generator"].parameters()]
            for _ in range(2):
                d.zero_grad()
                players["discriminator"](torch.ones(1, 2)).sum().backward()
                d.step()
            g.zero_grad()
            players["generator"](torch.ones(1, 3)).sum().backward()
            g.step()
            stranger.step()
            if step == NORM_EVERY + 10:
                with torch.no_grad():
                    players["discriminator"].weight += 30.0  # no optimiser did this
            recorder.log(step, {"generator/loss": 0.0})
            recorder.log(step, {"discriminator/loss": 0.0})
            if step in (NORM_EVERY - 1, NORM_EVERY + 4):
                norms.append(distance(players["generator"], before))
        recorder.snapshot(rows)
    run = tmp_path / "run"
    assert column(run, "generator/updates") == list(range(1, rows + 1))
    assert column(run, "discriminator/updates") == list(range(2, 2 * rows + 2, 2))
    at = [NORM_EVERY - 1, NORM_EVERY + 4, rows - 1]
    assert steps_of(run, "generator/update_norm") == at
    assert column(run, "generator/update_norm")[:2] == pytest.approx(norms, rel=1e-5)
    assert column(run, "discriminator/update_norm")[2] == pytest.approx(math.sqrt(2) * 30, rel=0.2)


def test_update_counts_go_on_in_later_sessions(tmp_path: Path, make_training: Any) -> None:
    training = make_training()
    with Recorder(tmp_path / "run", training=training) as recorder:
        for step in range(10):
            if step == 5:
                recorder.snapshot(5)
            recorder.log(step, training.step(step))
    training = make_training(1)
    with Recorder(tmp_path / "run", training=training) as recorder:
        start = recorder.resume()
        assert start == 5
        for step in range(start, 8):
            recorder.log(step, training.step(step))
            if step == 6:
                recorder.snapshot(7)
    assert column(tmp_path / "run", "model/updates") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert steps_of(tmp_path / "run", "model/update_norm") == [4, 6]
    norms = column(tmp_path / "run", "model/update_norm")
    assert max(norms) < 1, "the jump to the snapshot's weights was taken for an update"


def test_a_session_that_begins_anywhere_measures_its_first_row(
    tmp_path: Path, training: Any
) -> None:
    for first in (0, 5):
        with Recorder(tmp_path / "run", training=training) as recorder:
            for step in range(first, first + 5):
                recorder.log(step, training.step(step))
    assert steps_of(tmp_path / "run", "model/update_norm") == [5]
    assert column(tmp_path / "run", "model/updates") == list(range(1, 11))


def test_counts_of_an_earlier_version_go_on(tmp_path: Path, training: Any) -> None:
    """It kept counts and norms in one file, a norm in every row."""
    earlier = {"model/updates": 7.0, "model/update_norm": 0.5}
    with Recorder(tmp_path / "run", training=training, track_updates=False) as recorder:
        recorder.log(0, earlier)
    with Recorder(tmp_path / "run", training=training) as recorder:
        recorder.log(1, training.step(1))
    assert column(tmp_path / "run", "model/updates") == [7, 8]


def test_the_norm_after_a_rewind_without_a_snapshot_is_not_known(
    tmp_path: Path, training: Any
) -> None:
    with Recorder(tmp_path / "run", training=training) as recorder:
        for step in (0, 1, 2, 1, 2):
            recorder.log(step, training.step(step))
        recorder.snapshot(3)
    assert steps_of(tmp_path / "run", "model/update_norm") == [1, 2]
    norms = column(tmp_path / "run", "model/update_norm")
    assert [math.isnan(norm) for norm in norms] == [True, False]
    assert column(tmp_path / "run", "model/updates") == [1, 2, 3]


def test_names_of_tracked_updates_are_taken(tmp_path: Path, training: Any) -> None:
    with (
        Recorder(tmp_path / "run", training=training) as recorder,
        pytest.raises(OptionError, match=r"recorded already.*track_updates=False"),
    ):
        recorder.log(0, {"model/update_norm": 1.0})
    with Recorder(tmp_path / "run2", training=training, track_updates=False) as recorder:
        recorder.log(0, {"model/update_norm": 1.0})
    assert list(Run.open(tmp_path / "run2").series().columns) == ["model/update_norm"]


def test_modules_that_move_or_grow(tmp_path: Path) -> None:
    module = nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 1))
    with Recorder(tmp_path / "run", players={"model": module}) as recorder:
        for step in range(3 * NORM_EVERY):
            if step == NORM_EVERY:
                module(torch.ones(1, 4))
                module[1].weight.data = torch.ones(2, 3)
            recorder.log(step, LOSS)
    norms = column(tmp_path / "run", "model/update_norm")
    assert norms[0] == 0
    assert math.isnan(norms[1])
    assert norms[2] == 0
