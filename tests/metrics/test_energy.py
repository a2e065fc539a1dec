"""Energy distance against scipy and the closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dlcc.metrics import energy_distance
from tests.metrics.conftest import calibration, normal


@settings(max_examples=30, deadline=None)
@given(n=st.integers(4, 50), m=st.integers(4, 50), seed=st.integers(0, 99))
def test_in_one_dimension_it_is_the_square_of_scipys(n: int, m: int, seed: int) -> None:
    x, y = normal(n, 1, seed, 0.5), normal(m, 1, seed, at=1)
    wanted = stats.energy_distance(x[:, 0], y[:, 0]) ** 2
    assert energy_distance(x, y, biased=True).value == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.2, 1.0])
def test_shifted_gaussians_over_100_seeds(shift: float) -> None:
    def mean_distance(by: float) -> float:
        return float(stats.foldnorm(by / 2**0.5, scale=2**0.5).mean())

    truth = 2 * mean_distance(shift) - 2 * mean_distance(0)
    found = [energy_distance(normal(70, 1, s, shift), normal(50, 1, s, at=1)) for s in range(100)]
    seen = calibration(found)
    assert abs(seen.mean - truth) < 4 * seen.of_mean
    assert 0.8 < seen.ratio < 1.6


def test_points() -> None:
    x, y = np.zeros((5, 2)), np.tile([3.0, 4.0], (6, 1))
    found = energy_distance(x, y)
    assert (found.value, found.error, found.floor) == (10, 0, 0)


def test_it_grows_with_the_rows() -> None:
    x, y = normal(40, 3, 0, 0.3), normal(50, 3, 1)
    one, ten = energy_distance(x, y), energy_distance(10 * x + 5, 10 * y + 5)
    assert (ten.value, ten.error, ten.floor) == pytest.approx(
        (10 * one.value, 10 * one.error, 10 * one.floor)
    )
