"""Changes race in reruns of code of one's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcc.advice.change import Change
from dlcc.advice.evidence import Trial
from dlcc.advice.race import Race, in_order, seed_of
from dlcc.errors import ForeignCodeError, LimitExceeded
from dlcc.estimate import Estimate
from dlcc.kinds.gan import GAN
from dlcc.records import Outcome
from dlcc.reruns import pool as pools
from dlcc.reruns.outcome import Recorded
from dlcc.reruns.pool import Leg, Paused, SandboxPool
from dlcc.reruns.sandbox_program import SandboxProgram
from dlcc.sandbox import Level
from dlcc.stage import Deadline
from tests.advice.own_code import CODE, CONFIG
from tests.sandbox.in_process import InProcessSession

LENGTH = 48
GOOD, BAD = Outcome("healthy", 0.95, 0.9), Outcome("collapsed", 0.05, 0.0)


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "Session", InProcessSession)


class FastIsGood:
    """A judge and a predictor to whom trainings with a discriminator above .05 are healthy."""

    def __init__(self, hopeless: bool = False) -> None:
        self.hopeless = hopeless
        self.judge = self._judge

    def _judge(self, recorded: Recorded, length: int) -> Outcome:
        assert len(recorded.series.columns["discriminator/loss"].values) == length
        return GOOD if self._moves(recorded) else BAD

    def __call__(
        self, recorded: Recorded, done: int, length: int, config: Mapping[str, Any]
    ) -> Estimate:
        assert done < length
        return Estimate.beta(0.5, 40) if self.hopeless else Estimate.beta(1, 1)

    def _moves(self, recorded: Recorded) -> bool:
        loss = recorded.series.columns["discriminator/loss"].values
        return bool(np.abs(np.diff(loss)).max() > 0.5)


def race(tmp_path: Path, *changes: dict[str, Any], seconds: float = 60.0, **options: Any) -> Any:
    (tmp_path / "train.py").write_text(CODE)
    quantities = ("generator/loss", "discriminator/loss")
    program = SandboxProgram(
        "source/train.py:build", {"source/train.py": tmp_path / "train.py"}, Level.NONE, None, GAN,
        quantities,
    )  # fmt: skip
    trials = [Trial(Change(fields), 0.5) for fields in ({}, *changes)]
    folder = tmp_path / "kept"
    with SandboxPool(program, LENGTH, 1, Deadline(seconds), folder) as pool:
        judges: Any = FastIsGood(**options)
        return Race(CONFIG, LENGTH, trials, pool, judges).run()


def test_what_does_better_than_another_seed_is_advised(tmp_path: Path) -> None:
    found = race(tmp_path, {"alpha": 0.01}, {"opt.lrD": 0.5}, {"alpha": 0.03})
    assert dict(found.ranked[0].change.fields) == {"opt.lrD": 0.5}
    assert found.standing(found.ranked[0]) == "advised"
    assert found.control.reruns >= 4
    assert found.control.healthy == 0
    assert {found.standing(a) for a in found.ranked[1:]} == {"undecided"}


def test_what_the_code_refuses_is_not_ranked(tmp_path: Path) -> None:
    found = race(tmp_path, {"opt.lrD": 9.0}, {"alpha": 0.03})
    assert [dict(change.fields) for change in found.refused] == [{"opt.lrD": 9.0}]
    assert [dict(a.change.fields) for a in found.ranked] == [{"alpha": 0.03}]


def test_code_that_refuses_its_own_configuration_ends_the_race(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIG["opt"], "lrD", 9.0)
    with pytest.raises(ForeignCodeError, match="too fast"):
        race(tmp_path, {"alpha": 0.01})


def test_what_is_sure_to_fail_is_stopped_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Race, "is_quick", False)
    found = race(tmp_path, {"alpha": 0.01}, {"alpha": 0.03}, hopeless=True)
    assert [(a.reruns, a.stopped) for a in found.ranked] == [(1, 1), (1, 1)]


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = race(tmp_path, {"alpha": 0.01}, {"opt.lrD": 0.5})
    kept = {file.name for file in (tmp_path / "kept").iterdir()}
    keep = SandboxPool.keep

    def watched(self: SandboxPool, leg: Leg, result: Any) -> None:
        assert self.file_of(leg).name not in kept
        keep(self, leg, result)

    monkeypatch.setattr(SandboxPool, "keep", watched)
    again = race(tmp_path, {"alpha": 0.01}, {"opt.lrD": 0.5})
    before, after = ({a.change.key: a.reruns for a in f.ranked} for f in (first, again))
    assert all(after[key] >= reruns for key, reruns in before.items())


def test_ctrl_c_shows_the_ranking_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    take = Race.take

    def interrupted(self: Race, made: Any) -> None:
        if len(taken) == 3:
            raise KeyboardInterrupt
        taken.append(made)
        take(self, made)

    monkeypatch.setattr(Race, "take", interrupted)
    found = race(tmp_path, {"alpha": 0.01}, {"opt.lrD": 0.5}, {"alpha": 0.5})
    assert found.cut_short == "interrupted"
    assert 1 <= sum(a.reruns for a in (*found.ranked, found.control)) <= 3
    with pytest.raises(KeyboardInterrupt):  # nothing is known yet
        race(tmp_path / "kept", {"alpha": 0.07})


def test_no_time_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(LimitExceeded):
        race(tmp_path, {"alpha": 0.01}, seconds=0.0)


def test_a_rerun_that_paused_ends_as_one_that_did_not(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(CODE)
    program = SandboxProgram(
        "source/train.py:build", {"source/train.py": tmp_path / "train.py"}, Level.NONE, None, GAN,
        ("generator/loss",),
    )  # fmt: skip
    made = []
    for name, stops in (("a", (16, LENGTH)), ("b", (LENGTH,))):
        with SandboxPool(program, LENGTH, 1, Deadline(60), tmp_path / name) as pool:
            paused: Paused | None = None
            for stop in stops:
                pool.order(Leg(stop, CONFIG, stop, paused))
                result = pool.next(30.0)
                assert result is not None
                assert isinstance(result.result, Paused)
                paused = result.result
            assert paused is not None
            made.append(paused.recorded.series.columns["generator/loss"].values)
    assert np.array_equal(made[0], made[1], equal_nan=True)


def test_seeds_are_found_again_and_changes_begin_with_different_fields() -> None:
    assert seed_of(Change({"a": 1}), 0, 0) != seed_of(Change({"a": 1}), 1, 0)
    likely = [Trial(Change({"a": k}), 0.6 - 0.01 * k) for k in range(3)]
    other = Trial(Change({"b": 1}), 0.55)
    order = in_order([Trial(Change({}), 0.1), *likely, other])
    assert [dict(t.change.fields) for t in order][:3] == [{}, {"a": 0}, {"b": 1}]
    assert math.isclose(order[0].past, 0.1)
