"""Advice: the change that reruns say mends is put first, with the control beside it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from dlcc.advice import advice
from dlcc.advice.advice import ROUNDS, advise, by_past_runs
from dlcc.advice.change import MOST_FIELDS
from dlcc.advice.evidence import Advised
from dlcc.errors import ForeignCodeError, LimitExceeded
from dlcc.kinds.gan import GAN
from dlcc.past_runs.in_use import shipped_library
from dlcc.records import Outcome
from dlcc.reruns.outcome import Refused
from dlcc.stage import Deadline

CONFIG = {
    "data": "ring", "loss": "mm", "optimizer": "adam", "lr_g": 0.02, "lr_d": 0.04, "beta1": 0.5,
    "beta2": 0.999, "r1": 0.0, "g_every": 1, "d_every": 1, "init": 1.0, "seed": 3,
}  # fmt: skip
GOOD, BAD = Outcome("healthy", 0.95, 1.0), Outcome("collapsed", 0.02, 0.0)


class Settings:
    """A program whose records are the settings that it was asked to run."""

    how, splits_seeds, reference, kind = "not at all", True, None, GAN

    def __init__(self, refused: Mapping[str, Any] | None = None) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self._refused = refused

    def run(self, plan: Sequence[Any], length: int, deadline: Deadline, progress: Any) -> Any:
        self.asked += [rerun.config for rerun in plan]
        return [self._made(rerun.config) for rerun in plan]

    def _made(self, config: Mapping[str, Any]) -> Any:
        if self._refused is not None and self._refused.items() <= config.items():
            return Refused(ForeignCodeError("not this one"))
        return config


@pytest.fixture(autouse=True)
def _r1_mends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reruns end healthy where R1 is 1."""

    def judge(library: object, reference: object, kind: object) -> Any:
        return lambda recorded, length: GOOD if recorded["r1"] == 1.0 else BAD

    monkeypatch.setattr(advice, "Judge", judge)


def advised(program: Settings, seconds: float = math.inf) -> Advised:
    return advise(
        CONFIG, 100, shipped_library(), program, data="ring",
        rng=np.random.default_rng(0), deadline=Deadline(seconds),
    )  # fmt: skip


def test_what_mends_in_reruns_comes_first() -> None:
    found = advised(Settings())
    best = found.ranked[0]
    assert best.change.fields["r1"] == 1.0
    assert best.healthy == best.reruns >= ROUNDS[-1][1]
    assert best.expected.mean > 0.8 > 0.2 > found.control.expected.mean
    assert found.control.change.size == 0
    assert found.control.reruns == sum(reruns for _, reruns in ROUNDS)


def test_every_rerun_has_a_seed_of_its_own() -> None:
    program = Settings()
    advised(program)
    seeds = Counter(config["seed"] for config in program.asked)
    assert max(seeds.values()) == 1
    assert CONFIG["seed"] not in seeds


def test_small_changes_are_shown_before_larger_ones_that_promise_more() -> None:
    shown = advised(Settings()).shown()
    sizes = [a.change.size for a in shown]
    small = [size for size in sizes if size <= MOST_FIELDS]
    assert sizes[: len(small)] == small
    best = max(a.expected.mean for a in shown[: len(small)])
    assert all(a.expected.mean > best for a in shown[len(small) :])


def test_no_time_at_all_is_said() -> None:
    with pytest.raises(LimitExceeded):
        advised(Settings(), seconds=0)


def test_what_the_code_refuses_is_not_advised_and_does_not_end_the_search() -> None:
    program = Settings(refused={"loss": "hinge"})
    found = advised(program)
    assert any(config["loss"] == "hinge" for config in program.asked)
    assert all(a.change.fields.get("loss") != "hinge" for a in found.ranked)
    assert [change.fields for change in found.refused] == [{"loss": "hinge"}]
    assert found.ranked[0].change.fields["r1"] == 1.0


def test_code_that_refuses_its_own_configuration_ends_the_search() -> None:
    with pytest.raises(ForeignCodeError, match="not this one"):
        advised(Settings(refused={}))


def test_past_runs_alone_rank_all_changes_and_reruns_at_hand_tell_of_the_control() -> None:
    plain = by_past_runs(CONFIG, shipped_library(), data="ring")
    told = by_past_runs(CONFIG, shipped_library(), data="ring", seeds=[BAD] * 10)
    assert [a.change for a in plain.ranked] == [a.change for a in told.ranked]
    assert all(a.reruns == 0 for a in plain.ranked)
    assert (plain.control.reruns, told.control.reruns) == (0, 10)
    assert told.control.expected.mean < 0.15
    assert told.control.expected.interval(0.9)[1] < plain.control.expected.interval(0.9)[1]
