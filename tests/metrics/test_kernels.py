"""Kernels and the median of distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from dlcc.metrics import Cubic, Distance, Gaussian, Kernel, median_bandwidth
from tests.metrics.conftest import normal


@pytest.mark.parametrize("kernel", [Gaussian.of(2.0), Gaussian.of([1, 4]), Cubic(), Distance()])
def test_the_diagonal_is_that_of_the_matrix(kernel: Kernel) -> None:
    rows = normal(6, 5, 0)
    np.testing.assert_allclose(kernel.diagonal(rows), np.diag(kernel(rows, rows)), atol=1e-12)
    np.testing.assert_allclose(kernel(rows, rows), kernel(rows, rows).T)


def test_values() -> None:
    a, b = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])
    assert Gaussian.of([10, 50])(a, b)[0, 0] == pytest.approx(np.exp(-2.5) + np.exp(-0.5))
    assert Distance()(a, b)[0, 0] == -5
    assert Cubic()(b, b)[0, 0] == pytest.approx(13.5**3)


def test_the_median_is_exact_up_to_2000_rows_and_of_an_even_subset_beyond() -> None:
    rows = normal(301, 3, 0, 7.0)
    assert median_bandwidth(rows) == pytest.approx(np.median(pdist(rows) ** 2))
    many = normal(5000, 2, 1)
    few = many[np.linspace(0, 4999, 2000).round().astype(int)]
    assert median_bandwidth(many) == pytest.approx(np.median(pdist(few) ** 2))


@pytest.mark.parametrize(
    ("target", "median"),
    [("square", 0.263), ("gaussian", 4 * np.log(2))],  # |x − y|² / 2 is exponential of mean 2
)
def test_the_median_of_known_targets(target: str, median: float) -> None:
    found = []
    for seed in range(8):
        square = np.random.default_rng(seed).uniform(size=(3000, 2))
        found.append(median_bandwidth(square if target == "square" else normal(3000, 2, seed)))
    assert np.mean(found) == pytest.approx(median, rel=0.02)


@pytest.mark.parametrize("r", [0, -1.0, np.nan, np.inf, [], [1.0, 0.0]])
def test_widths_that_cannot_be_used(r: Any) -> None:
    with pytest.raises(ValueError, match=r"r is .*; expected widths above 0"):
        Gaussian.of(r)


def test_a_target_of_copies_has_no_width() -> None:
    with pytest.raises(ValueError, match=r"between the 50 rows of target is 0; give gamma"):
        median_bandwidth(np.ones((50, 2)))
