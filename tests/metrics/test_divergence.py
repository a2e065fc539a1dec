"""Divergence by nearest neighbours, against its formula and Gaussians."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from dlcc.metrics import kl_divergence
from tests.metrics.conftest import calibration, normal


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(14, 40), m=st.integers(14, 40), d=st.sampled_from([1, 3, 12, 20]),
    k=st.integers(1, 6), seed=st.integers(0, 99),
)  # fmt: skip
def test_against_the_formula(n: int, m: int, d: int, k: int, seed: int) -> None:
    x, y = normal(n, d, seed, 0.5), normal(m, d, seed, at=1)
    own = np.sort(cdist(x, x), axis=1)[:, k]
    other = np.sort(cdist(x, y), axis=1)[:, k - 1]
    wanted = d * np.mean(np.log(other / own)) + np.log(m / (n - 1))
    found = kl_divergence(x, y, k=k)
    assert found.value == pytest.approx(wanted, abs=1e-9)
    assert f"k = {k}" in found.estimator


@pytest.mark.parametrize("d", [2, 10])
def test_the_error_is_the_jackknife_over_groups(d: int) -> None:
    x, y = normal(63, d, 0, 0.5), normal(55, d, 1)
    found = kl_divergence(x, y, k=2)
    drops = [
        [kl_divergence(np.delete(x, np.s_[g::10], 0), y, k=2).value for g in range(10)],
        [kl_divergence(x, np.delete(y, np.s_[g::10], 0), k=2).value for g in range(10)],
    ]
    assert found.error == pytest.approx(np.sqrt(9 * sum(np.var(v) for v in drops)))


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.5, 1.0), (0.0, 0.7)])
def test_gaussians_over_100_seeds(shift: float, scale: float) -> None:
    d = 2
    truth = d * (0.5 * (scale**2 + shift**2 - 1) - np.log(scale))
    found = [
        kl_divergence(normal(400, d, s, shift, scale), normal(400, d, s, at=1)) for s in range(100)
    ]
    seen = calibration(found)
    assert seen.mean == pytest.approx(truth, abs=0.04)  # its bias at these rows
    assert 0.9 < seen.ratio < 1.8


def test_the_error_holds_in_ten_dimensions() -> None:
    found = [
        kl_divergence(normal(200, 10, s, scale=0.6), normal(200, 10, s, at=1)) for s in range(100)
    ]
    assert 0.9 < calibration(found).ratio < 1.6


def test_units_do_not_matter() -> None:
    x, y = normal(50, 3, 0, 0.5), normal(60, 3, 1)
    assert kl_divergence(7 * x + 3, 7 * y + 3).value == pytest.approx(kl_divergence(x, y).value)


def test_copies_and_too_few_rows() -> None:
    y = normal(60, 12, 1)
    x = np.concatenate([normal(40, 12, 0), y[:3]])
    with pytest.raises(ValueError, match="3 of the 43 rows of generated lie on 1 other rows"):
        kl_divergence(x, y, k=1)
    assert np.isfinite(kl_divergence(x, y, k=2).value)
    with pytest.raises(ValueError, match="k is 5 with 11 rows of generated and 60 of data"):
        kl_divergence(x[:11], y)
