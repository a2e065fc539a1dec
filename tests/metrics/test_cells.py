"""Counts in cells, against scipy's test."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from dlcc.metrics import chi_squared, grid_counts
from tests.metrics.conftest import calibration


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(0, 50), min_size=2, max_size=30).filter(lambda c: sum(c) >= 2))
def test_against_scipy(counts: list[int]) -> None:
    found = chi_squared(counts)
    wanted = chisquare(counts)
    assert found.statistic == pytest.approx(wanted.statistic, abs=1e-9)
    assert found.p_value == pytest.approx(wanted.pvalue)
    assert found.df == len(counts) - 1
    assert found.over_df.value == pytest.approx(wanted.statistic / found.df)
    assert found.filled.value == np.mean(np.array(counts) > 0)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_grid_is_numpys(d: int) -> None:
    rows = np.random.default_rng(0).uniform(-0.1, 1.1, (500, d))
    inside = ((rows >= 0) & (rows <= 1)).all(axis=1)
    found = grid_counts(rows, 4)
    wanted, _ = np.histogramdd(rows[inside], bins=4, range=[(0, 1)] * d)
    np.testing.assert_array_equal(np.sort(found.counts), np.sort(wanted.ravel().astype(int)))
    assert found.outside == 500 - inside.sum()
    corners = grid_counts([[0.0] * d, [1.0] * d], 4)
    assert (corners.counts[0], corners.counts[-1], corners.outside) == (1, 1, 0)


@pytest.mark.parametrize(
    ("shares", "n"),
    [(np.full(100, 0.01), 800), (np.full(100, 0.01), 60), (np.arange(1, 17) / 136, 300)],
)
def test_errors_are_the_scatter_over_200_seeds(shares: Any, n: int) -> None:
    found = [chi_squared(np.random.default_rng(s).multinomial(n, shares)) for s in range(200)]
    over_df, filled = calibration(f.over_df for f in found), calibration(f.filled for f in found)
    assert 0.8 < over_df.ratio < 1.25
    assert 0.95 < filled.ratio < 4  # a bound, of half a cell at least
    if shares[0] == shares[-1]:
        assert abs(over_df.mean - 1) < 4 * over_df.of_mean
        assert abs(filled.mean - found[0].expected_filled) < 4 * filled.of_mean
        assert np.mean([f.p_value < 0.1 for f in found]) == pytest.approx(0.1, abs=0.07)


def test_bad_samples_are_seen() -> None:
    rng = np.random.default_rng(1)
    good = chi_squared(grid_counts(rng.uniform(size=(5000, 2)), 20).counts)
    bad = chi_squared(grid_counts(rng.uniform(0, 0.9, size=(5000, 2)), 20).counts)
    assert good.p_value > 0.01
    assert bad.p_value < 1e-6
    assert bad.over_df.interval(0.99)[0] > 1
    assert bad.filled.value < 0.83 < good.filled.value


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([5], r"of type int64 and shape \[1\]; expected whole numbers \[cells\]"),
        ([1.0, 2.0], "of type float64"),
        ([[1, 2], [3, 4]], r"shape \[2, 2\]"),
        ([5, -1], "the smallest count is -1; expected at least 2 samples"),
        ([1, 0], "counts hold 1 samples"),
    ],
)
def test_counts_that_cannot_be_used(counts: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        chi_squared(counts)


def test_too_many_cells() -> None:
    with pytest.raises(ValueError, match=r"20 bins in 10 dimensions are 1e\+13 cells; expected at"):
        grid_counts(np.zeros((5, 10)), 20)
