"""Squared MMD against what it is for Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import special_ortho_group
from sklearn.metrics.pairwise import rbf_kernel

from dlcc.metrics import median_bandwidth, squared_mmd
from tests.metrics.conftest import calibration, normal


def mean_kernel(d: int, r: float, shift: float, variance: float) -> float:
    """E exp(−‖z‖²/r) of z normal with mean (shift, ..., shift) and this variance."""
    wide = r + 2 * variance
    return float((r / wide) ** (d / 2) * np.exp(-d * shift**2 / wide))


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.3, 1.0), (0.0, 0.5), (1.0, 2.0)])
@pytest.mark.parametrize("widths", [(2.77,), (0.5, 2.0, 8.0)])
def test_two_gaussians_over_100_seeds(shift: float, scale: float, widths: tuple[float]) -> None:
    d = 2
    truth = sum(
        mean_kernel(d, r, 0, 2 * scale**2) + mean_kernel(d, r, 0, 2)
        - 2 * mean_kernel(d, r, shift, 1 + scale**2)
        for r in widths
    )  # fmt: skip
    found = [
        squared_mmd(
            normal(60, d, s, shift, scale),
            normal(90, d, s, at=1),
            gamma=[1 / r for r in widths],
        )
        for s in range(100)
    ]
    seen = calibration(found)
    assert abs(seen.mean - truth) < 4 * seen.of_mean
    held = np.mean([low <= truth <= high for low, high in (f.interval(0.9) for f in found)])
    assert held >= 0.8
    if shift or scale != 1:
        assert held <= 0.98


def test_the_width_is_the_datas_median() -> None:
    x, y = normal(30, 2, 0, 3.0), normal(40, 2, 1)
    stated = squared_mmd(x, y, gamma=1 / median_bandwidth(y))
    assert squared_mmd(x, y).value == pytest.approx(stated.value, rel=1e-12)
    assert squared_mmd(x, y).error == pytest.approx(stated.error, rel=1e-12)


def test_the_biased_one_is_never_below_0_and_is_0_for_the_same_rows() -> None:
    x = normal(50, 3, 0)
    assert squared_mmd(x, x, gamma=1.0, biased=True).value == pytest.approx(0, abs=1e-14)
    assert squared_mmd(x, x, gamma=1.0).value < 0
    for s in range(10):
        assert squared_mmd(normal(20, 3, s), normal(20, 3, s + 50), biased=True).value > 0


def test_it_knows_no_place_no_direction_and_no_order() -> None:
    x, y = normal(40, 4, 0, 0.3), normal(50, 4, 1)
    turn = special_ortho_group.rvs(4, random_state=0)
    whole = squared_mmd(x, y, gamma=1 / 4.0)
    moved = squared_mmd(x[::-1] @ turn + 1e4, y @ turn + 1e4, gamma=1 / 4.0)
    assert (moved.value, moved.error) == pytest.approx((whole.value, whole.error), rel=1e-6)
    scaled = squared_mmd(10 * x, 10 * y, gamma=1 / 400.0)
    assert (scaled.value, scaled.floor) == pytest.approx((whole.value, whole.floor))


@pytest.mark.parametrize("gamma", [0.0, -1.0, float("nan"), []])
def test_a_gamma_that_is_none_is_refused(gamma: float) -> None:
    with pytest.raises(ValueError, match=r"gamma is .*; expected numbers above 0"):
        squared_mmd(normal(30, 2, 0), normal(40, 2, 1), gamma=gamma)


def test_the_kernel_is_that_of_scikit_learn() -> None:
    x, y = normal(30, 2, 0), normal(40, 2, 1)
    means = [rbf_kernel(a, b, gamma=0.7).mean() for a, b in ((x, x), (y, y), (x, y))]
    found = squared_mmd(x, y, gamma=0.7, biased=True).value
    assert found == pytest.approx(means[0] + means[1] - 2 * means[2], rel=1e-9)
