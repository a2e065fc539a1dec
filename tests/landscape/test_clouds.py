"""Clouds of known shape."""

from __future__ import annotations

import math
from dataclasses import astuple, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import kurtosis, skew

from dlcc.landscape import ExtremeEigenvalues, curvature_class, gradient_cloud
from dlcc.typing import Floats

T = np.linspace(0, 1, 2000)


def noise(seed: int, n: int = 2000) -> Floats:
    return np.random.default_rng(seed).normal(size=n)


def circle(turns: float) -> tuple[Floats, Floats]:
    angle = 2 * np.pi * turns * T
    return np.cos(angle), 2 + np.sin(angle)


# --- fifths ---------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(each=st.integers(2, 50), stride=st.integers(1, 100), start=st.integers(0, 10_000))
def test_even_steps_fall_in_equal_fifths(each: int, stride: int, start: int) -> None:
    n = 5 * each
    cloud = gradient_cloud(np.arange(n), np.ones(n), start + stride * np.arange(n))
    assert cloud.fifth.tolist() == [k for k in range(5) for _ in range(each)]
    assert [shape.points for shape in cloud.fifths] == [each] * 5


def test_fifths_are_those_of_the_training() -> None:
    steps = [0, 1, 2, 3, 4, 5, 6, 7, 8, 100]
    cloud = gradient_cloud(range(10), np.ones(10), steps)
    assert cloud.fifth.tolist() == [0] * 9 + [4]
    assert cloud.fifths[2].points == 0
    assert all(math.isnan(value) for value in astuple(cloud.fifths[2])[1:])
    begun = gradient_cloud(range(40), np.ones(40), range(40), length=100)
    assert begun.fifth.tolist() == [0] * 20 + [1] * 20
    beyond = gradient_cloud(range(40), np.ones(40), range(40), length=20)
    assert beyond.fifth.max() == 4


# --- shapes ---------------------------------------------------------------------------------------


def test_a_straight_way_drifts_and_neither_turns_nor_returns() -> None:
    whole = gradient_cloud(3 - T, 2 - T).whole
    # quartiles are half the way apart: the way is 2 · 1.349 long on each axis, the medians .8 of it
    assert whole.drift == pytest.approx(math.sqrt(2) * 2 * 1.349 * 0.8, rel=1e-3)
    assert whole.turn == pytest.approx(0, abs=1e-6)
    assert whole.net_turn == pytest.approx(0, abs=1e-6)
    assert whole.returns == 0
    assert whole.area == pytest.approx(0, abs=1e-9)
    assert whole.bimodality == pytest.approx(5 / 9, abs=0.01)


@pytest.mark.parametrize("turns", [3, -2])
def test_a_circle_turns_and_returns(turns: int) -> None:
    whole = gradient_cloud(*circle(turns)).whole
    assert whole.net_turn == pytest.approx(2 * np.pi * turns, rel=0.05)
    assert whole.turn == pytest.approx(2 * np.pi * abs(turns) / 100, rel=0.05)
    radius = 1.349 / math.sqrt(2)
    assert whole.area == pytest.approx(math.pi * radius**2, rel=0.01)
    assert whole.spread == pytest.approx(radius, rel=0.05)
    assert whole.returns == pytest.approx((abs(turns) - 1) / (0.8 * abs(turns)), abs=0.03)


def test_one_turn_does_not_return_before_it_closes() -> None:
    assert gradient_cloud(*circle(0.9)).whole.returns == 0


def test_there_and_back_returns_half_of_the_way() -> None:
    there = np.abs(T - 0.5)
    whole = gradient_cloud(there, 1 + there).whole
    assert whole.returns == pytest.approx(0.5 / 0.8, abs=0.1)  # all of the way back but the bend
    assert whole.turn < 0.1


def test_to_and_fro_turns_by_half_circles_without_a_side() -> None:
    x = np.repeat(np.arange(10) % 2, 2).astype(float)
    whole = gradient_cloud(x, 1 + x).whole
    assert whole.turn == pytest.approx(math.pi)
    assert whole.net_turn == 0


def test_noise_spreads_and_does_not_drift() -> None:
    cloud = gradient_cloud(noise(0), 50 + 10 * noise(1))
    assert cloud.whole.drift < 0.2
    assert cloud.whole.spread == pytest.approx(math.sqrt(2 * math.log(2)), rel=0.05)
    assert cloud.whole.turn > 1.3
    assert cloud.whole.central_area < 0.7 * cloud.whole.area
    assert cloud.whole.central_area == pytest.approx(math.pi * -2 * math.log(0.05), rel=0.1)
    assert cloud.whole.bimodality == pytest.approx(0.4, abs=0.03)
    for shape in cloud.fifths:
        assert shape.spread == pytest.approx(cloud.whole.spread, rel=0.2)


@pytest.mark.parametrize("far", [1e6, 1e35])
def test_outliers_move_the_hull_alone(far: float) -> None:
    x, y = noise(0), 50 + noise(1)
    plain = gradient_cloud(x, y).whole
    x[7], y[9] = far, far
    spoilt = gradient_cloud(x, y).whole
    assert spoilt.area > 0.1 * far**2
    for name in ("drift", "spread", "central_area", "turn", "returns", "bimodality"):
        assert getattr(spoilt, name) == pytest.approx(getattr(plain, name), rel=0.02)


def test_one_axis_with_a_far_outlier_keeps_its_area() -> None:
    x, y = noise(0), 50 + noise(1)
    x[7] = 1e30
    expected = (y.max() - y.min()) / (np.subtract(*np.quantile(y, [0.75, 0.25])) / 1.349)
    expected *= 1e30 / (np.subtract(*np.quantile(x, [0.75, 0.25])) / 1.349) / 2
    assert gradient_cloud(x, y).whole.area == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.5, 1.6, 2.5])
def test_two_heaps_are_bimodal(angle: float) -> None:
    side = np.where(np.arange(2000) % 2 == 0, -4, 4)
    x, y = noise(0) + math.cos(angle) * side, noise(1) + math.sin(angle) * side
    assert gradient_cloud(x, 50 + y).whole.bimodality > 0.75


@pytest.mark.parametrize("n", [10, 40, 500])
def test_bimodality_is_sarles_coefficient_of_scipys_moments(n: int) -> None:
    x, y = np.random.default_rng(n).gamma(2, size=(2, n))
    scaled = [
        (v - np.median(v)) / (np.subtract(*np.quantile(v, [0.75, 0.25])) / 1.349) for v in (x, y)
    ]
    points = np.stack(scaled, axis=1)
    distance = np.linalg.norm(points, axis=1)
    central = points[distance <= np.quantile(distance, 0.95)]
    m, angles = len(central), np.arange(12) * np.pi / 12
    along = central @ np.stack([np.cos(angles), np.sin(angles)])
    tails = kurtosis(along, bias=False) + 3 * (m - 1) ** 2 / ((m - 2) * (m - 3))
    sarle = (skew(along, bias=False) ** 2 + 1) / tails
    assert gradient_cloud(x, y).whole.bimodality == pytest.approx(sarle.max(), rel=1e-9)


def test_each_fifth_is_measured_in_units_of_the_whole() -> None:
    narrowing = np.repeat([4.0, 2.0, 1.0, 0.5, 0.25], 400)
    cloud = gradient_cloud(narrowing * noise(0), 50 + narrowing * noise(1))
    spreads = [shape.spread for shape in cloud.fifths]
    for wide, narrow in pairwise(spreads):
        assert narrow / wide == pytest.approx(0.5, rel=0.15)
    assert math.isnan(cloud.fifths[0].returns)
    within = gradient_cloud(T, 1 + T).fifths[1]
    assert within.drift == pytest.approx(math.sqrt(2) * 2 * 1.349 * 0.2 * 0.8, rel=0.02)


@example(n=18, seed=50, scale=1.25, offset=0.0)  # a vertex at the median, on a cell's edge
@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(10, 60),
    seed=st.integers(0, 99),
    scale=st.floats(1e-6, 1e6),
    offset=st.floats(-100, 100),
)
def test_units_do_not_matter(n: int, seed: int, scale: float, offset: float) -> None:
    x, y = noise(seed, n), np.abs(noise(seed + 1, n))
    a = gradient_cloud(x, y).whole
    b = gradient_cloud(scale * (x + offset), scale * y).whole
    np.testing.assert_allclose(astuple(a), astuple(b), rtol=1e-4, atol=1e-6)
    assert a.points == n
    assert a.central_area <= a.area
    assert math.isnan(a.returns) or 0 <= a.returns <= 1
    assert math.isnan(a.turn) or 0 <= a.turn <= math.pi


# --- what is missing or constant ------------------------------------------------------------------


def test_points_that_are_not_finite_are_left_out_and_counted() -> None:
    x, y = noise(0, 100), np.abs(noise(1, 100))
    spoilt_x, spoilt_y = x.copy(), y.copy()
    spoilt_x[[3, 50]] = np.nan, np.inf
    spoilt_y[[50, 99]] = np.inf, np.nan
    cloud = gradient_cloud(spoilt_x, spoilt_y)
    there = [k for k in range(100) if k not in (3, 50, 99)]
    assert cloud.left_out == 3
    assert cloud.steps.tolist() == there
    assert cloud.fifth.tolist() == [k // 20 for k in there]  # of the training, not of what is left
    assert all(math.isfinite(v) for v in astuple(cloud.whole))


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30])
def test_constant_series(value: float) -> None:
    both = gradient_cloud(np.full(50, value), np.full(50, value)).whole
    assert (both.drift, both.spread, both.area, both.central_area) == (0, 0, 0, 0)
    assert all(map(math.isnan, (both.turn, both.net_turn, both.returns, both.bimodality)))
    one = gradient_cloud(np.full(2000, value), T).whole
    assert one.area == 0
    assert one.drift == pytest.approx(2 * 1.349 * 0.8, rel=1e-3)


def test_an_axis_on_which_most_points_agree_is_scaled_by_its_deviation() -> None:
    x = np.zeros(100)
    x[:10] = 1
    assert gradient_cloud(x, np.arange(100)).whole.area > 0


@pytest.mark.parametrize("n", [0, 9])
def test_fewer_than_10_points(n: int) -> None:
    with pytest.raises(ValueError, match=f"{n} of {n} points are finite; a cloud takes at least"):
        gradient_cloud(np.arange(n), np.arange(n))
    with pytest.raises(ValueError, match="9 of 20 points are finite"):
        gradient_cloud([1.0] * 9 + [math.nan] * 11, np.arange(20))


def test_bad_series() -> None:
    x = np.arange(20.0)
    with pytest.raises(ValueError, match=r"loss has the shape \[20, 1\]"):
        gradient_cloud(x[:, None], x)
    with pytest.raises(ValueError, match="loss has 20 points, gradient_norm 19, steps 20"):
        gradient_cloud(x, x[1:])
    with pytest.raises(ValueError, match="steps do not ascend"):
        gradient_cloud(x, x, x[::-1])
    with pytest.raises(ValueError, match="steps do not ascend"):
        gradient_cloud(x, x, np.where(x == 3, math.nan, x))
    with pytest.raises(ValueError, match="gradient_norm has 1 negative numbers"):
        gradient_cloud(x, x - 0.5)
    with pytest.raises(ValueError, match="length is 0"):
        gradient_cloud(x, x, length=0)


# --- classes of points ----------------------------------------------------------------------------


def spectrum(smallest: float, largest: float, error: float = 0.0) -> ExtremeEigenvalues:
    return ExtremeEigenvalues(smallest, largest, error, error, 1, True)


@pytest.mark.parametrize(
    ("smallest", "largest", "error", "expected"),
    [
        (1, 5, 0, "convex"),
        (-5, -1, 0, "concave"),
        (-1, 5, 0, "saddle"),
        (0, 5, 0, "singular"),
        (-5, 0, 0, "singular"),
        (0, 0, 0, "singular"),
        (0.004, 5, 0, "singular"),  # within a thousandth of the larger one
        (-0.004, 5, 0, "singular"),
        (0.006, 5, 0, "convex"),
        (1, 5, 1, "singular"),  # undecided
        (1, 5, 0.9, "convex"),
        (2, 2, 0, "convex"),
        (math.nan, 5, 0, "singular"),
        (1, 5, math.nan, "singular"),
    ],
)
def test_classes(smallest: float, largest: float, error: float, expected: str) -> None:
    assert curvature_class(spectrum(smallest, largest, error)) == expected


def test_the_tolerance_is_relative() -> None:
    weak = spectrum(-0.1, 10)
    assert curvature_class(weak) == "saddle"
    assert curvature_class(weak, 0.05) == "singular"
    assert curvature_class(replace(weak, smallest=-1e-9, largest=1e-9)) == "saddle"
    assert curvature_class(spectrum(1e-12, 1), 0) == "convex"
    for tol in (-1, 1, math.nan):
        with pytest.raises(ValueError, match="tol is"):
            curvature_class(weak, tol)
