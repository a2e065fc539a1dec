"""Reruns spread over workers are those of one process, and are not made twice."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from dlcc.engine.engines import Local, Processes
from dlcc.errors import ForeignCodeError, ForeignCodeStopped, LimitExceeded
from dlcc.records import Series
from dlcc.reruns.outcome import Recorded, Refused
from dlcc.reruns.packing import packed, unpacked
from dlcc.reruns.plan import Rerun
from dlcc.reruns.programs import EnsembleProgram
from dlcc.reruns.sandbox_program import SandboxProgram
from dlcc.reruns.spread import SpreadProgram
from dlcc.sandbox import Level
from dlcc.stage import Deadline

SETTING = {"data": "ring", "seed": 4, "lr_g": 1e-3, "lr_d": 4e-3, "optimizer": "adam"}
CODE = """
import torch

class Walk:
    def __init__(self, config):
        if config["rate"] > 1:
            raise ValueError("too fast")
        torch.manual_seed(config["seed"])
        self.rate = config["rate"]
        self.players = {"model": torch.nn.Linear(2, 1)}
    def step(self, step):
        return {"model/loss": self.rate * float(torch.randn(()))}
    def sample(self, n, seed):
        return torch.full((n, 2), float(seed))
    def state_dict(self):
        return {}
    def load_state_dict(self, state):
        pass

build = Walk
"""


def quiet(share: float, what: str) -> None:
    """Progress that nobody looks at."""


def losses(made: list[Recorded | Refused], name: str) -> list[np.ndarray]:
    assert all(isinstance(record, Recorded) for record in made)
    return [record.series[name].values for record in made if isinstance(record, Recorded)]


def test_records_come_back_as_they_were_packed(tmp_path: Path) -> None:
    series = Series.from_start({"a/loss": np.array([1.0, np.nan]), "b/loss": np.arange(2.0)})
    refused = Refused(ForeignCodeError("it raised", "source/train.py:3"))
    records = [Recorded(series, [np.ones((3, 2))]), refused, Recorded(series, [])]
    (tmp_path / "part").write_bytes(packed(records))
    first, second, third = unpacked(tmp_path / "part")
    assert isinstance(first, Recorded)
    assert isinstance(second, Refused)
    assert isinstance(third, Recorded)
    assert np.array_equal(first.series["a/loss"].values, [1.0, np.nan], equal_nan=True)
    assert np.array_equal(first.samples[0], np.ones((3, 2)))
    assert (str(second.error), second.error.place) == ("it raised", "source/train.py:3")
    assert len(third.samples) == 0


def test_an_ensemble_in_parts_is_the_whole_one(tmp_path: Path) -> None:
    plan = [Rerun("seed", {**SETTING, "seed": k, "width": (16, 32)[k % 2]}) for k in range(70)]
    plan[7] = Rerun("batches", {**SETTING, "seed": 9, "width": 32}, weights_seed=4)
    whole = EnsembleProgram(None).run(plan, 24, Deadline(60), quiet)
    spread = SpreadProgram(EnsembleProgram(None), Local(), tmp_path)
    parts = spread.run(plan, 24, Deadline(60), quiet)
    assert len([*tmp_path.iterdir()]) == 4
    for name in ("generator/loss", "discriminator/grad_norm"):
        for one, other in zip(losses(whole, name), losses(parts, name), strict=True):
            assert one == pytest.approx(other, rel=1e-2)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    spread.run(plan, 24, Deadline(60), quiet)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_code_of_a_run_goes_with_its_part(tmp_path: Path) -> None:
    code = tmp_path / "train.py"
    code.write_text(CODE)
    quantities = ("model/loss",)
    program = SandboxProgram(
        "source/train.py:build", {"source/train.py": code}, Level.NONE, None, quantities=quantities
    )
    plan = [
        Rerun("seed", {"rate": 0.1, "seed": 1}),
        Rerun("setting", {"rate": 2.0, "seed": 2}),
        Rerun("seed", {"rate": 0.1, "seed": 3}),
    ]
    here = program.run(plan, 30, Deadline(60), quiet)
    spread = SpreadProgram(program, Processes(2), tmp_path / "kept")
    there = spread.run(plan, 30, Deadline(60), quiet)
    for one, other in zip(here, there, strict=True):
        assert type(one) is type(other)
        if isinstance(one, Recorded) and isinstance(other, Recorded):
            assert np.array_equal(
                one.series["model/loss"].values, other.series["model/loss"].values
            )
    assert isinstance(there[1], Refused)
    assert "too fast" in str(there[1].error)
    # Other code is another result.
    code.write_text(CODE.replace("self.rate *", "2 * self.rate *"))
    doubled = spread.run(plan[:1], 30, Deadline(60), quiet)
    assert losses(doubled, "model/loss")[0] == pytest.approx(2 * losses(there[:1], "model/loss")[0])


class Waning(Deadline):
    """A deadline that is over when it is told so."""

    over = False

    @property
    def remaining(self) -> float:
        return 0.0 if self.over else super().remaining


def test_when_the_time_is_up_what_is_there_counts(tmp_path: Path) -> None:
    plan = [Rerun("seed", {**SETTING, "seed": k, "width": (16, 32)[k >= 3]}) for k in range(5)]
    deadline = Waning(60)

    def first_part_done(share: float, what: str) -> None:
        deadline.over = share > 0

    program = EnsembleProgram(None)
    made = SpreadProgram(program, Local(), tmp_path).run(plan, 24, deadline, first_part_done)
    assert len(made) == 3
    with pytest.raises(LimitExceeded):
        SpreadProgram(program, Local(), tmp_path / "new").run(plan, 24, Deadline(0), quiet)
    assert not os.listdir(tmp_path / "new")


def test_code_that_never_ends_ends_with_the_time(tmp_path: Path) -> None:
    code = tmp_path / "train.py"
    code.write_text(
        CODE.replace("torch.manual_seed", "while True: pass\n        torch.manual_seed")
    )
    program = SandboxProgram("source/train.py:build", {"source/train.py": code}, Level.NONE, None)
    started = time.monotonic()
    with pytest.raises(ForeignCodeStopped):
        SpreadProgram(program, Processes(1), tmp_path / "kept").run(
            [Rerun("seed", {"rate": 0.1, "seed": 1})], 30, Deadline(6), quiet
        )
    assert time.monotonic() - started < 30
