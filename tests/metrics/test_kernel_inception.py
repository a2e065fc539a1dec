"""KID against its authors' formula, written out."""

from __future__ import annotations

import numpy as np
import pytest

from dlcc.metrics import kid
from dlcc.typing import Floats
from tests.metrics.conftest import calibration, normal


def written_out(x: Floats, y: Floats) -> float:
    """Bińkowski et al. 2018: k(a, b) = (a·b/d + 1)³, and the unbiased estimate."""
    n, m, d = len(x), len(y), x.shape[1]
    total = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                total += (float(x[i] @ x[j]) / d + 1) ** 3 / (n * (n - 1))
    for i in range(m):
        for j in range(m):
            if i != j:
                total += (float(y[i] @ y[j]) / d + 1) ** 3 / (m * (m - 1))
    for i in range(n):
        for j in range(m):
            total -= 2 * (float(x[i] @ y[j]) / d + 1) ** 3 / (n * m)
    return total


@pytest.mark.parametrize(("n", "m", "d"), [(4, 9, 1), (20, 15, 6), (12, 30, 40)])
def test_against_the_formula(n: int, m: int, d: int) -> None:
    x, y = np.abs(normal(n, d, 0, 0.5)), np.abs(normal(m, d, 1))
    assert kid(x, y, block=None).value == pytest.approx(written_out(x, y), rel=1e-10)


def test_blocks_are_the_mean_of_the_formula() -> None:
    x, y = normal(23, 3, 0, 0.5), normal(31, 3, 1)
    found = kid(x, y, block=10, seed=3)
    rng = np.random.default_rng(3)
    i, j = rng.permutation(23)[:20].reshape(2, 10), rng.permutation(31)[:20].reshape(2, 10)
    wanted = [written_out(x[a], y[b]) for a, b in zip(i, j, strict=True)]
    assert found.value == pytest.approx(np.mean(wanted))
    assert found.error == pytest.approx(np.std(wanted, ddof=1) / 2**0.5)
    assert found == kid(x, y, block=10, seed=3)


@pytest.mark.parametrize("block", [20, None])
def test_unbiased_at_any_number_of_rows(block: int | None) -> None:
    """Of normal rows in one dimension, k(a, b) = (ab + 1)³: E k = 1 + 3 E a E b + ..."""
    shift = 0.4
    a = np.array([1, shift, 1 + shift**2, shift**3 + 3 * shift])  # moments of x
    b = np.array([1, 0, 1, 0])  # of y
    weights = np.array([1, 3, 3, 1])
    truth = float((weights * (a - b) ** 2).sum())
    for n in (40, 120):
        found = [
            kid(normal(n, 1, s, shift), normal(n, 1, s, at=1), block=block) for s in range(100)
        ]
        seen = calibration(found)
        assert abs(seen.mean - truth) < 4 * seen.of_mean
        assert 0.65 < seen.ratio < 1.4  # the cubes of normal rows have heavy tails


def test_too_few_rows_for_blocks() -> None:
    words = r"generated has 30 rows and data 90; two blocks of 20 need 40 of each: choose a smaller"
    with pytest.raises(ValueError, match=words):
        kid(normal(30, 2, 0), normal(90, 2, 1), block=20)
