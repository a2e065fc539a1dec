"""Sliced Wasserstein distances against scipy and the closed forms of shifts."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from dlcc.metrics import sliced_wasserstein
from dlcc.metrics.sliced import Coupling, random_directions
from tests.metrics.conftest import calibration, normal


@settings(max_examples=40, deadline=None)
@given(n=st.integers(2, 30), m=st.integers(2, 30), seed=st.integers(0, 99))
def test_one_dimension(n: int, m: int, seed: int) -> None:
    x, y = normal(n, 1, seed, 0.5), normal(m, 1, seed, at=1)
    found = sliced_wasserstein(x, y)
    assert found.value == pytest.approx(wasserstein_distance(x[:, 0], y[:, 0]))
    assert found.projections == 1
    times = math.lcm(n, m)
    many_x, many_y = (
        np.repeat(np.sort(x[:, 0]), times // n),
        np.repeat(np.sort(y[:, 0]), times // m),
    )
    wanted = np.sqrt(((many_x - many_y) ** 2).mean())
    assert sliced_wasserstein(x, y, 2).value == pytest.approx(wanted)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(20, 20), (12, 30)])
def test_the_mean_over_directions(p: Literal[1, 2], n: int, m: int) -> None:
    x, y = normal(n, 3, 0, 1.0), normal(m, 3, 1)
    directions = random_directions(3, 40, 7)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=0), 1)
    powers = [
        sliced_wasserstein((x @ way)[:, None], (y @ way)[:, None], p).value ** p
        for way in directions.T
    ]
    found = sliced_wasserstein(x, y, p, projections=40, seed=7)
    assert found.value == pytest.approx(np.mean(powers) ** (1 / p))
    slope = 1 if p == 1 else 0.5 / found.value
    assert found.projection_error == pytest.approx(slope * np.std(powers, ddof=1) / 40**0.5)


@pytest.mark.parametrize("d", [2, 5, 50])
def test_a_shift(d: int) -> None:
    """W of a shift δ along θ is |θ·δ|: over all θ its mean and mean square are known."""
    x = normal(40, d, 0)
    y = x + 3 / d**0.5
    mean = 3 * math.gamma(d / 2) / (math.sqrt(math.pi) * math.gamma((d + 1) / 2))
    one = sliced_wasserstein(x, y, 1, projections=400)
    two = sliced_wasserstein(x, y, 2, projections=400)
    assert abs(one.value - mean) < 4 * one.projection_error
    assert abs(two.value - 3 / d**0.5) < 4 * two.projection_error


@pytest.mark.parametrize("p", [1, 2])
def test_gaussians_over_100_seeds(p: Literal[1, 2]) -> None:
    """In one dimension W2² = shift² + (1 − scale)², and W1 of a mere shift is the shift."""
    shift, scale = 0.8, (0.5 if p == 2 else 1.0)
    found = [
        sliced_wasserstein(normal(300, 1, s, shift, scale), normal(400, 1, s, at=1), p)
        for s in range(100)
    ]
    seen = calibration(found)
    truth = math.hypot(shift, 1 - scale)
    assert seen.mean == pytest.approx(truth, abs=4 * seen.of_mean + 0.01)  # a bias of 1/n
    assert 0.8 < seen.ratio < 1.25


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(("n", "m", "d"), [(100, 100, 2), (60, 150, 6)])
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.5, 1.0), (0.0, 0.6)])
def test_the_error_is_the_scatter_over_100_seeds(
    p: Literal[1, 2], n: int, m: int, d: int, shift: float, scale: float
) -> None:
    found = [
        sliced_wasserstein(normal(n, d, s, shift, scale), normal(m, d, s, at=1), p, projections=24)
        for s in range(100)
    ]
    assert 0.75 < calibration(found).ratio < (1.8 if shift == 0 and scale == 1 else 1.35)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize(("n", "m"), [(8, 8), (6, 9)])
def test_the_potentials_are_derivatives_by_the_rows_weights(p: int, n: int, m: int) -> None:
    a, b = np.sort(normal(n, 1, 0, 0.3)[:, 0]), np.sort(normal(m, 1, 1)[:, 0])
    many = 400
    power, f, g = Coupling.of(n, m).solve(a, b, p)
    for i in range(n):
        sides = []  # at a corner of the staircase the two differ
        for more in (1, -1):
            times = np.full(n, many)
            times[i] += more
            leaning, _, _ = Coupling.of(n * many + more, m).solve(np.repeat(a, times), b, p)
            sides.append((leaning - power) * more * n * many)
        assert np.mean(sides) == pytest.approx(f[i], abs=0.01)
    assert abs(f.mean()) + abs(g.mean()) < 1e-12


def test_invariances() -> None:
    x, y = normal(40, 3, 0, 0.4), normal(50, 3, 1)
    whole = sliced_wasserstein(x, y)
    moved = sliced_wasserstein(10 * x[::-1] + 5, 10 * y + 5)
    assert (moved.value, moved.error) == pytest.approx((10 * whole.value, 10 * whole.error))
    assert sliced_wasserstein(y, x).value == pytest.approx(whole.value)
    assert sliced_wasserstein(x, y) == whole
    assert sliced_wasserstein(x, y, seed=1).value != whole.value
    assert sliced_wasserstein(x, x, 2).value == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"p": 3}, "p is 3; expected 1 or 2"), ({"projections": 0}, "projections is 0; expected 1")],
)
def test_settings_that_cannot_be_used(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sliced_wasserstein(normal(9, 2, 0), normal(9, 2, 1), **settings)
