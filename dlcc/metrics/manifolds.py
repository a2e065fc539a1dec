"""Precision, recall, density and coverage: sets as unions of balls around their rows.

A row's ball reaches to its k-th nearest fellow. Everything is exact and over blocks of pairs.
Distances within a billionth of a radius count as equal to it.

What the error holds, each part in closed form: the score's variance over the rows that are judged,
and the jackknife over the rows whose balls judge (their radii held), which comes from the rows that
one ball alone covers. The data are a draw like the generated rows in this: where they are the
whole target, it is too large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlcc.metrics.distances import kth_distances, squared_distances
from dlcc.metrics.given import Floats, Rows, block, checked_count, checked_pair, mean_of, parts
from dlcc.metrics.measured import Measured

_TIE = 1e-9
_METHOD = "closed form over the rows judged, jackknife over the balls that judge, radii held"


@dataclass(frozen=True)
class PrecisionRecall:
    """How much of each set lies in the other's manifold, in [0, 1]."""

    precision: Measured
    """Share of generated rows inside the data's balls: quality."""
    recall: Measured
    """Share of data rows inside the generated rows' balls: diversity."""
    k: int


@dataclass(frozen=True)
class DensityCoverage:
    """How the data's balls are filled; a single far row counts for little."""

    density: Measured
    """Mean number of data balls around a generated row, over k: 1 where the laws are equal; no
    upper bound."""
    coverage: Measured
    """Share of data balls with a generated row inside, in [0, 1]."""
    expected_coverage: float
    """Of equal laws at these rows and k: the mark to hold the coverage against."""
    k: int


@dataclass(frozen=True)
class _Covers:
    """Which rows lie inside balls of the other set."""

    counts: NDArray[np.int64]
    """Balls around each row judged."""
    alone: NDArray[np.int64]
    """Of each ball, the rows that no other ball covers."""
    held: NDArray[np.int64]
    """Rows inside each ball."""


def precision_recall(generated: ArrayLike, data: ArrayLike, *, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall (Kynkäänniemi et al. 2019, eqs. 1 and 2), k = 3 as theirs.

    A row on a ball's surface is inside (≤).

    Args:
        generated: features [n, d], n > k.
        data: features [m, d], m > k; take n = m, since both figures depend on the numbers of rows.
        k: the neighbour that a ball reaches to.

    Returns:
        Shares in [0, 1]; (n² / 2 + m² / 2 + nm) d multiplications.

    Raises:
        ValueError: features that cannot be used, or k is not below the rows.
    """
    x, y = _checked(generated, data, k)
    both = _covers(x, y, kth_distances(x, k), kth_distances(y, k), strict=False)
    by_data, by_generated = both
    rows = len(x), len(y)
    return PrecisionRecall(
        _share_inside(by_data, rows), _share_inside(by_generated, rows), k
    )


def density_coverage(generated: ArrayLike, data: ArrayLike, *, k: int = 5) -> DensityCoverage:
    """Density and coverage (Naeem et al. 2020, eqs. 3 and 4), k = 5 as theirs.

    A row on a ball's surface is outside (<), as in the authors' program: a copy of the data then
    has density 1.

    Args:
        generated: features [n, d], n > k.
        data: features [m, d], m > k.
        k: the neighbour that a ball reaches to.

    Returns:
        Without units; the expected coverage is 1 − C(m−1, k) / C(n+m−1, k), their lemma 2.
        (m² / 2 + nm) d multiplications.

    Raises:
        ValueError: features that cannot be used, or k is not below the rows.
    """
    x, y = _checked(generated, data, k)
    by_data, _ = _covers(x, y, None, kth_distances(y, k), strict=True)
    n, m = len(x), len(y)
    scores = by_data.counts / k
    filled = m * by_data.held / (k * n)
    error = math.sqrt(scores.var(ddof=1) / n + filled.var(ddof=1) / m)
    density = Measured(float(scores.mean()), error, _METHOD, (n, m))
    covered = by_data.held > 0
    return DensityCoverage(
        density,
        Measured(float(covered.mean()), 0.0, _METHOD, (n, m)),
        1 - math.exp(_log_binomial(m - 1, k) - _log_binomial(n + m - 1, k)),
        k,
    )


def _checked(generated: ArrayLike, data: ArrayLike, k: int) -> tuple[Rows, Rows]:
    x, y = checked_pair(generated, data)
    checked_count(k, "k", 1)
    if k >= min(len(x), len(y)):
        raise ValueError(
            f"k is {k} with {len(x)} rows of generated and {len(y)} of data; expected fewer "
            "neighbours than rows: draw more, or choose a smaller k"
        )
    return x, y


def _log_binomial(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
