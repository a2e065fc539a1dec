"""How far outcomes fall apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.reruns.deviation import reproducibility


def of(values, seed=0):
    return reproducibility(np.array(values, dtype=float), np.random.default_rng(seed))


def test_the_same_outcome_every_time_is_reproducible_and_opposite_ones_are_not():
    same, apart = of([0.8] * 12), of([0.0, 1.0] * 6)
    assert same.mean > 0.83
    assert apart.mean < 0.15
    assert same.interval(0.9)[0] > apart.interval(0.9)[1]


def test_many_outcomes_give_their_own_deviation():
    rng = np.random.default_rng(1)
    values = rng.beta(2, 3, 400)
    found = of(values)
    assert found.mean == pytest.approx(1 - 2 * values.std(), abs=0.03)
    low, high = found.interval(0.9)
    assert high - low < 0.08


def test_fewer_outcomes_are_less_sure():
    rng = np.random.default_rng(2)
    widths = [np.diff(of(rng.random(n)).interval(0.9))[0] for n in (4, 16, 64)]
    assert widths == sorted(widths, reverse=True)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_it_is_an_estimate_whatever_the_outcomes(values):
    found = of(values)
    low, high = found.interval(0.9)
    assert 0 <= low <= high <= 1


def test_coverage_of_the_interval_for_mixed_outcomes():
    """Ten reruns of a setting whose outcomes are known: the truth lies inside nine times in ten."""
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(60):
        p = rng.uniform(0.1, 0.9)
        truth = 1 - 2 * np.sqrt(p * (1 - p) * 0.81)
        outcomes = np.where(rng.random(10) < p, 0.95, 0.05)
        low, high = of(outcomes, int(rng.integers(1000))).interval(0.9)
        hits += low - 1e-9 <= truth <= high + 1e-9
    assert hits >= 49
