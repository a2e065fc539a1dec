"""Whether series say anything: their order in time, and the players' coupling."""

from __future__ import annotations

import numpy as np
import pytest

from dlcc.detect import TrainingRecord, evidence_of
from dlcc.runs.series import Series
from dlcc.typing import Floats


def both(d: Floats, g: Floats) -> TrainingRecord:
    return TrainingRecord(Series.from_start({"discriminator/loss": d, "generator/loss": g}), "gan")


@pytest.mark.parametrize("rows", [40, 200, 3_000])
def test_noise_says_nothing_at_the_level_of_the_test(rows: int) -> None:
    rng = np.random.default_rng(rows)
    said = [evidence_of(both(*rng.normal(size=(2, rows)))).says_something for _ in range(60)]
    assert np.mean(said) < 0.15


@pytest.mark.parametrize("rows", [40, 200, 3_000])
def test_a_trend_says_something(rows: int) -> None:
    rng = np.random.default_rng(0)
    d, g = rng.normal(size=(2, rows)) + np.linspace(0, 3, rows)
    assert evidence_of(both(d, g)).says_something


def test_players_that_feel_each_other_say_something() -> None:
    rng = np.random.default_rng(0)
    push = rng.normal(size=300)
    found = evidence_of(both(push + rng.normal(size=300), -push + rng.normal(size=300)))
    assert found.p_coupling is not None
    assert found.p_coupling < 0.01


def test_too_few_rows_and_constants_say_nothing() -> None:
    few = evidence_of(both(np.arange(5.0), np.arange(5.0)))
    assert (few.says_something, few.why) == (False, "5 rows are too few")
    assert not evidence_of(both(np.ones(50), np.ones(50))).says_something
