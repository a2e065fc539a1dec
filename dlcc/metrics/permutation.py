"""Permutation test of two sets of rows: how rare their distance is for equal distributions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlcc.metrics.inputs import block, checked_count, checked_pair, mean_of, parts
from dlcc.metrics.kernels import Distance, Kernel
from dlcc.metrics.mmd import LEAST_ROWS
from dlcc.typing import Floats, Rows

_ROWS = 2048


@dataclass(frozen=True)
class Permuted:
    """Statistic of two sets among its values when the same rows change sets at random."""

    value: float
    """Unbiased statistic of the sets as given."""
    mean: float
    """Mean of the permuted values."""
    sd: float
    """Standard deviation of the permuted values: the noise floor."""
    upper: float
    """Quantile of the permuted values at 95 %."""
    p_value: float
    """Probability of a value at least as large for equal distributions: (1 + permuted values at
    least as large) / (1 + permutations), which is exact."""
    permutations: int
    """Number of permutations."""


def permutation_test(
    generated: ArrayLike,
    data: ArrayLike,
    kernel: Kernel | None = None,
    *,
    permutations: int = 499,
    seed: int = 0,
) -> Permuted:
    """Test by permutations whether two sets of rows have the same distribution.

    The statistic is the unbiased MMD² of a kernel, by default the energy distance. All permutations
    are made in one pass over the pairs of the pooled rows (Gretton et al. 2012, section 7; Phipson
    and Smyth 2010 for the p-value).

    Args:
        generated: Generated rows [n, d], n ≥ 4.
        data: Rows of the target [m, d], m ≥ 4.
        kernel: Kernel of the statistic, by default `Distance()`; `Gaussian.of(r)` for MMD.
        permutations: Number of permutations, 19 or more; (n + m)² multiplications each.
        seed: Seed of the permutations.

    Returns:
        The statistic among its permuted values, with the p-value.

    Raises:
        ValueError: rows of another shape, too few of them, ones that are not finite or beyond 1e20,
            sets of different widths, or fewer than 19 permutations.

    >>> rng = np.random.default_rng(0)
    >>> data, fresh = rng.standard_normal((2, 100, 2))
    >>> permutation_test(fresh, data, permutations=99).p_value > 0.05
    True
    >>> permutation_test(fresh + 1, data, permutations=99).p_value
    0.01
    """
    x, y = checked_pair(generated, data, LEAST_ROWS)
    checked_count(permutations, "permutations", 19)
    n, m = len(x), len(y)
    rng = np.random.default_rng(seed)
    taken = np.zeros((n + m, permutations + 1), dtype=bool)  # where a row counts as generated
    taken[:n, 0] = True
    for column in range(1, permutations + 1):
        taken[rng.permutation(n + m)[:n], column] = True
    sums, inside = _sums(Distance() if kernel is None else kernel, x, y, taken)
    crossing = -inside
    for start in range(0, n + m, _ROWS):
        crossing += sums[start : start + _ROWS] @ taken[start : start + _ROWS].astype(np.float64)
    outside = sums.sum() - inside - 2 * crossing
    values = inside / (n * (n - 1)) + outside / (m * (m - 1)) - 2 * crossing / (n * m)
    value, permuted = float(values[0]), values[1:]
    slack = 1e-12 * float(np.abs(sums).sum()) / (n + m) ** 2
    larger = int((permuted >= value - slack).sum())
    return Permuted(
        value,
        float(permuted.mean()),
        float(permuted.std(ddof=1)),
        float(np.quantile(permuted, 0.95)),
        (1 + larger) / (1 + permutations),
        permutations,
    )


def _sums(kernel: Kernel, x: Rows, y: Rows, taken: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Sums Σ_{j≠i} k over the pooled rows [n + m], and tᵀ K t of each column t of `taken` [p]."""
    centre = mean_of(y) if kernel.translates else None
    sets = [(x, part, part.start) for part in parts(x)]
    sets += [(y, part, part.start + len(x)) for part in parts(y)]
    sums, inside = np.zeros(len(taken)), np.zeros(taken.shape[1])
    for at, (left, rows, i) in enumerate(sets):
        a = block(left, rows, centre)
        own = slice(i, i + len(a))
        for right, columns, j in sets[at:]:
            b = block(right, columns, centre)
            other = slice(j, j + len(b))
            values = kernel(a, b)
            if i == j:
                np.fill_diagonal(values, 0)
            else:
                sums[other] += values.sum(axis=0)
            sums[own] += values.sum(axis=1)
            across = values @ taken[other].astype(np.float64)
            products = np.einsum("ip,ip->p", taken[own].astype(np.float64), across)
            inside += products if i == j else 2 * products
    return sums, inside
