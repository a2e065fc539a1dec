"""Kullback-Leibler divergence of samples, by nearest neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dlcc.metrics.distances import nearest_distances
from dlcc.metrics.figures import Measured
from dlcc.metrics.inputs import checked_count, checked_pair
from dlcc.typing import Floats

_GROUPS = 10


@dataclass(frozen=True)
class Divergence(Measured):
    """Estimate of a divergence, in nats."""

    estimator: str
    """Name of the estimator: estimators of a divergence differ by more than their errors say."""


def kl_divergence(generated: ArrayLike, data: ArrayLike, *, k: int = 5) -> Divergence:
    """Estimate the Kullback-Leibler divergence D(generated ‖ data) by k-th nearest neighbours.

    The estimate is (d / n) Σ log(ν_k(i) / ρ_k(i)) + log(m / (n − 1)), with ν_k and ρ_k the
    distances of the i-th generated row to its k-th neighbour among the data and among the other
    generated rows (Wang, Kulkarni and Verdú 2009, eq. 5).

    Args:
        generated: Generated rows [n, d], n ≥ 2k + 2.
        data: Rows of the target [m, d], m ≥ 2k + 2.
        k: Number of the neighbour, 1 or more; a larger one has less scatter and more bias, and the
            bias grows with d.

    Returns:
        The divergence in nats; may be below 0. The error is the jackknife over ten groups of rows
        of each set, row i in group i mod 10: 1 to 1.6 times the scatter over draws, which a sum
        over rows as if they were independent halves in 10 dimensions. It knows nothing of the bias,
        which is several times as large there.

    Raises:
        ValueError: rows of another shape, too few of them, ones that are not finite or beyond 1e20,
            sets of different widths, or rows with k copies, whose logarithm is infinite.

    >>> rng = np.random.default_rng(0)
    >>> data = rng.standard_normal((500, 1))
    >>> shifted = rng.standard_normal((500, 1)) + 1  # D of these two normals is 0.5
    >>> print(kl_divergence(shifted, data))
    0.4303 ± 0.081
    """
    x, y = checked_pair(generated, data)
    n, m, d = len(x), len(y), x.shape[1]
    checked_count(k, "k", 1)
    if min(n, m) < 2 * (k + 1):
        raise ValueError(
            f"k is {k} with {n} rows of generated and {m} of data; expected at least {2 * (k + 1)} "
            "rows of each: draw more, or choose a smaller k"
        )
    groups = min(_GROUPS, min(n, m) // (k + 1))
    own = nearest_distances(x, k, groups=groups)
    other = nearest_distances(x, k, y, groups=groups)
    to_own, to_other = _kth(own), _kth(other)
    copies = int(np.count_nonzero((to_own == 0) | (to_other == 0)))
    if copies:
        raise ValueError(
            f"{copies} of the {n} rows of generated lie on {k} other rows, where the divergence is "
            "infinite; leave copies out, choose a larger k, or add the noise that the data have"
        )
    without_own, without_other = [], []
    for group in range(groups):
        kept = np.arange(n) % groups != group
        logs = np.log(to_other[kept] / _kth(own[kept], group))
        without_own.append(d * float(logs.mean()) - math.log(np.count_nonzero(kept) - 1))
        left = m - len(range(group, m, groups))
        without_other.append(d * float(np.log(_kth(other, group) / to_own).mean()) + math.log(left))
    variance = (groups - 1) * (np.var(without_own) + np.var(without_other))
    return Divergence(
        d * float(np.log(to_other / to_own).mean()) + math.log(m / (n - 1)),
        math.sqrt(float(variance)),
        f"jackknife over {groups} groups of rows of each set",
        (n, m),
        estimator=f"k-th nearest neighbours, k = {k} (Wang, Kulkarni and Verdú 2009, eq. 5)",
    )


def _kth(distances: Floats, without: int | None = None) -> Floats:
    """Distance to the k-th neighbour, [n], in all groups or all but one, of [n, groups, k]."""
    k = distances.shape[2]
    kept = distances if without is None else np.delete(distances, without, axis=1)
    return np.asarray(np.partition(kept.reshape(len(kept), -1), k - 1, axis=1)[:, k - 1])
