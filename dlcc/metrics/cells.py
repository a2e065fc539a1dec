"""Counts of samples in cells that the target fills equally: χ² and the share of filled cells."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from dlcc.metrics.figures import Measured
from dlcc.metrics.inputs import block, checked, checked_count, parts

_MOST_CELLS = 10_000_000


@dataclass(frozen=True)
class ChiSquared:
    """Result of Pearson's χ² test against equally likely cells."""

    statistic: float
    """Pearson's χ², at least 0; 0 where all cells have the same count."""
    df: int
    """Degrees of freedom: cells − 1."""
    over_df: Measured
    """Ratio χ² / df: 1 on average where the cells are equally likely."""
    p_value: float
    """Probability of a χ² at least as large where the cells are equally likely, by the χ²
    distribution, which needs about 5 samples a cell."""
    filled: Measured
    """Share of the cells with a sample, in [0, 1]."""
    expected_filled: float
    """Share of filled cells to expect where the cells are equally likely."""


@dataclass(frozen=True)
class Cells:
    """Counts of samples in the cells of a grid."""

    counts: NDArray[np.int64]
    """Number of samples in each cell, [cells]."""
    outside: int
    """Number of samples in no cell; the target has none there, and χ² does not see them."""


def grid_counts(unit: ArrayLike, bins: int) -> Cells:
    """Count samples in the binsᵈ equal cells of the cube [0, 1]ᵈ.

    The cells are equally likely for a target that is uniform on the cube. A target with other
    independent coordinates becomes so by the distribution function of each coordinate.

    Args:
        unit: Coordinates [n, d], n ≥ 1; samples outside of the cube are counted apart.
        bins: Number of cells along each side, 1 or more; binsᵈ at most 10 million.

    Returns:
        The counts [binsᵈ], the first coordinate running fastest, and the number of samples outside.

    Raises:
        ValueError: coordinates of another shape or not finite, no whole number of bins of at least
            1, or more cells than 10 million.

    >>> found = grid_counts([[0.1, 0.1], [0.9, 0.2], [0.9, 0.3], [1.5, 0.5]], bins=2)
    >>> found.counts.tolist(), found.outside
    ([1, 2, 0, 0], 1)
    """
    x = checked(unit, "unit", 1)
    d = x.shape[1]
    checked_count(bins, "bins", 1)
    if d * math.log(bins) > math.log(_MOST_CELLS):
        raise ValueError(
            f"{bins} bins in {d} dimensions are {float(bins) ** d:.0e} cells; expected at most "
            f"{_MOST_CELLS:.0e}: choose fewer bins, or few coordinates"
        )
    counts, outside = np.zeros(bins**d, dtype=np.int64), 0
    for part in parts(x):
        rows = block(x, part)
        inside = ((rows >= 0) & (rows <= 1)).all(axis=1)
        outside += int(np.count_nonzero(~inside))
        places = np.minimum((rows[inside] * bins).astype(np.int64), bins - 1)
        cells = places @ (bins ** np.arange(d, dtype=np.int64))
        counts += np.bincount(cells, minlength=len(counts))
    return Cells(counts, outside)


def chi_squared(counts: ArrayLike) -> ChiSquared:
    """Test counts in equally likely cells by Pearson's χ², with its error (Pearson 1900).

    χ² = Σ (N − n/K)² / (n/K) of counts N of n samples in K cells.

    Args:
        counts: Whole numbers of samples, [cells], of at least 2 cells and 2 samples in all.

    Returns:
        The statistic with its p-value, and the share of filled cells. The error of χ²/df is in
        closed form: the exact variance 2 (K − 1)(1 − 1/n) of equal cells, and the first-order term
        of unequal ones. That of the filled share is an upper bound: the jackknife, which counts the
        cells with a single sample, or the variance of empty cells that are filled independently,
        which is at most their number; half a cell more, so never 0.

    Raises:
        ValueError: counts of another shape, not whole or below 0, or fewer than 2 cells or samples.

    >>> fair, loaded = chi_squared([98, 102, 95, 105]), chi_squared([70, 130, 95, 105])
    >>> round(fair.statistic, 2), round(fair.p_value, 2)
    (0.58, 0.9)
    >>> round(loaded.statistic, 2), round(loaded.p_value, 4)
    (18.5, 0.0003)
    """
    given = np.asarray(counts)
    if given.ndim != 1 or len(given) < 2 or given.dtype.kind not in "iu":
        raise ValueError(
            f"counts are of type {given.dtype} and shape {list(given.shape)}; expected whole "
            "numbers [cells] of at least 2 cells"
        )
    n, cells = int(given.sum()), len(given)
    if given.min() < 0 or n < 2:
        raise ValueError(
            f"counts hold {n} samples, the smallest count is {given.min()}; expected at least 2 "
            "samples and no count below 0"
        )
    N = given.astype(np.float64)
    statistic = float(((N - n / cells) ** 2).sum() * cells / n)
    df = cells - 1
    variance = 2 * df * (1 - 1 / n) + max(0.0, _first_order(N, n, cells))
    single, empty = np.count_nonzero(given == 1), np.count_nonzero(given == 0)
    moving = min((n - 1) / n * single * (1 - single / n), float(empty)) + 0.5
    filled = Measured(
        float(np.mean(given > 0)), math.sqrt(moving) / cells, "bound from cells with 0 or 1", (n,)
    )
    return ChiSquared(
        statistic,
        df,
        Measured(statistic / df, math.sqrt(variance) / df, "closed form", (n,)),
        float(special.chdtrc(df, statistic)),
        filled,
        -math.expm1(n * math.log1p(-1 / cells)),
    )


def _first_order(N: NDArray[np.float64], n: int, cells: int) -> float:
    """Variance of first order, 4 n K² (Σp³ − (Σp²)²), the sums by factorial moments."""
    if n < 4:
        return 0.0
    squares = float((N * (N - 1)).sum()) / (n * (n - 1))
    cubes = float((N * (N - 1) * (N - 2)).sum()) / (n * (n - 1) * (n - 2))
    return 4 * n * cells**2 * (cubes - squares**2)
