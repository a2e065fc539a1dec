"""Sums of a kernel over all pairs, and the two-sample U-statistic with its standard error.

U = mean_{i≠j} k(x_i, x_j) + mean_{i≠j} k(y_i, y_j) − 2 mean k(x_i, y_j), the unbiased squared MMD
(Gretton et al. 2012, lemma 6).

Its variance is that of its Hoeffding parts (the terms of Sutherland and Deka 2019, sizes that
differ):

    ζ_x/n + ζ_y/m + 2 τ_xx/n(n−1) + 2 τ_yy/m(m−1) + 4 τ_xy/nm

ζ is the variance over a row of twice its mean kernel to its own set less that to the other, τ the
mean square of the doubly centred kernel. ζ is what is left of the variance of the rows' own means
when the part that τ puts there is taken off, and at least 0. No resampling: the row sums and the
sum of squares tell all of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dlcc.metrics.figures import Measured
from dlcc.metrics.inputs import block, mean_of, parts
from dlcc.metrics.kernels import Kernel
from dlcc.typing import Floats, Rows

CLOSED_FORM = "closed form: variance of the U-statistic, first and second order"


@dataclass(frozen=True)
class Discrepancy(Measured):
    """Squared distance between two sets of rows: 0 on average for equal distributions."""

    floor: float
    """Standard deviation that the unbiased value has where both sets are draws of the target."""


@dataclass(frozen=True)
class _Within:
    """Sums of a kernel over the pairs of one set."""

    sums: Floats
    """Sum of each row with all others, Σ_{j≠i} k(x_i, x_j), [n]."""
    squares: float
    """Sum of squares over pairs of different rows, Σ_{i≠j} k²."""
    diagonal: float
    """Sum of each row with itself, Σ k(x_i, x_i)."""


@dataclass(frozen=True)
class _Between:
    """Sums of a kernel over the pairs of two sets."""

    rows: Floats
    """Sum of each row of the first set, Σ_j k(x_i, y_j), [n]."""
    columns: Floats
    """Sum of each row of the second set, Σ_i k(x_i, y_j), [m]."""
    squares: float
    """Sum of squares over all pairs, Σ k²."""


def discrepancy(kernel: Kernel, x: Rows, y: Rows, *, biased: bool = False) -> Discrepancy:
    """Compute the U-statistic of checked rows x [n, d] and y [m, d], with its error.

    The biased V-statistic is at least 0 for a positive kernel; its error is the same up to terms of
    1/n.
    """
    centre = mean_of(y) if kernel.translates else None
    own, other = _within(kernel, x, centre), _within(kernel, y, centre)
    both = _between(kernel, x, y, centre)
    n, m = len(x), len(y)
    if biased:
        value = (own.sums.sum() + own.diagonal) / n**2 + (other.sums.sum() + other.diagonal) / m**2
    else:
        value = own.sums.sum() / (n * (n - 1)) + other.sums.sum() / (m * (m - 1))
    value -= 2 * both.rows.sum() / (n * m)
    xx, yy, xy = _spread_within(own), _spread_within(other), _spread_between(both)
    x_means = 2 * (own.sums / (n - 1) - both.rows / m)
    y_means = 2 * (other.sums / (m - 1) - both.columns / n)
    first_x = x_means.var(ddof=1) - 4 * xx * (n - 2) / (n - 1) ** 2 - 4 * xy / m
    first_y = y_means.var(ddof=1) - 4 * yy * (m - 2) / (m - 1) ** 2 - 4 * xy / n
    second = 2 * xx / (n * (n - 1)) + 2 * yy / (m * (m - 1)) + 4 * xy / (n * m)
    variance = max(first_x, 0.0) / n + max(first_y, 0.0) / m + second
    at_target = yy * (2 / (n * (n - 1)) + 2 / (m * (m - 1)) + 4 / (n * m))
    return Discrepancy(
        float(value), math.sqrt(variance), CLOSED_FORM, (n, m), floor=math.sqrt(at_target)
    )


def discrepancy_over_blocks(
    kernel: Kernel, x: Rows, y: Rows, size: int, seed: int, *, biased: bool = False
) -> Discrepancy:
    """Average `discrepancy` over disjoint blocks of `size` shuffled rows of each set.

    As many blocks as the smaller set has; rows beyond are left out.
    """
    rng = np.random.default_rng(seed)
    count = min(len(x), len(y)) // size
    orders = [rng.permutation(len(rows))[: count * size].reshape(count, size) for rows in (x, y)]
    found = [discrepancy(kernel, x[i], y[j], biased=biased) for i, j in zip(*orders, strict=True)]
    values = np.array([each.value for each in found])
    floor = math.sqrt(float(np.mean([each.floor**2 for each in found])) / count)
    return Discrepancy(
        float(values.mean()),
        float(values.std(ddof=1)) / math.sqrt(count),
        f"scatter of {count} disjoint blocks of {size} rows, seed {seed}",
        (count * size, count * size),
        floor=floor,
    )


def _within(kernel: Kernel, x: Rows, centre: Floats | None) -> _Within:
    """Sum a kernel over the pairs of one set, block by block."""
    sums, squares, diagonal = np.zeros(len(x)), 0.0, 0.0
    for rows in parts(x):
        a = block(x, rows, centre)
        diagonal += float(kernel.diagonal(a).sum())
        for columns in parts(x):
            if columns.start < rows.start:
                continue
            values = kernel(a, block(x, columns, centre))
            if columns.start == rows.start:
                np.fill_diagonal(values, 0)
                squares += float(np.vdot(values, values))
            else:
                sums[columns] += values.sum(axis=0)
                squares += 2 * float(np.vdot(values, values))
            sums[rows] += values.sum(axis=1)
    return _Within(sums, squares, diagonal)


def _between(kernel: Kernel, x: Rows, y: Rows, centre: Floats | None) -> _Between:
    """Sum a kernel over the pairs of two sets, block by block."""
    in_rows, in_columns, squares = np.zeros(len(x)), np.zeros(len(y)), 0.0
    for rows in parts(x):
        a = block(x, rows, centre)
        for columns in parts(y):
            values = kernel(a, block(y, columns, centre))
            in_rows[rows] += values.sum(axis=1)
            in_columns[columns] += values.sum(axis=0)
            squares += float(np.vdot(values, values))
    return _Between(in_rows, in_columns, squares)


def _spread_within(own: _Within) -> float:
    """Mean square τ of the doubly centred kernel within one set; at least 0.

    It is E k² − 2 E (E k)² + (E k)², each factor from different rows.
    """
    n = len(own.sums)
    of_squares = own.squares / (n * (n - 1))
    of_means = (float(own.sums @ own.sums) - own.squares) / (n * (n - 1) * (n - 2))
    mean = own.sums.sum() / (n * (n - 1))
    return max(0.0, float(of_squares - 2 * of_means + mean**2))


def _spread_between(both: _Between) -> float:
    """Mean square τ of the doubly centred kernel between two sets; at least 0."""
    n, m = len(both.rows), len(both.columns)
    of_squares = both.squares / (n * m)
    over_y = (float(both.rows @ both.rows) - both.squares) / (n * m * (m - 1))
    over_x = (float(both.columns @ both.columns) - both.squares) / (m * n * (n - 1))
    mean = both.rows.sum() / (n * m)
    return max(0.0, float(of_squares - over_y - over_x + mean**2))
