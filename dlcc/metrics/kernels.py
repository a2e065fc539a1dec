"""Kernels of rows, block by block: MMD, KID and the energy distance are sums of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import ArrayLike

from dlcc.metrics.distances import squared_distances
from dlcc.metrics.inputs import block, checked
from dlcc.typing import Floats

_EXACT_ROWS = 2_000


class Kernel(Protocol):
    """Symmetric function of two rows, computed for blocks of them at a time.

    `Gaussian`, `Cubic` and `Distance` are kernels; any other object with these members is one too.

    >>> kernel: Kernel = Distance()
    >>> rows = np.array([[0.0, 0.0], [3.0, 4.0]])
    >>> kernel(rows[:1], rows[1:]).tolist(), kernel.diagonal(rows).tolist()
    ([[-5.0]], [0.0, 0.0])
    """

    translates: ClassVar[bool]
    """Whether only differences of rows matter, so that rows may be centred first."""

    def __call__(self, a: Floats, b: Floats) -> Floats:
        """Compute k(a_i, b_j), [p, q], of rows a [p, d] and b [q, d]."""
        ...

    def diagonal(self, a: Floats) -> Floats:
        """Compute the kernel of each row with itself.

        Args:
            a: Rows [p, d].

        Returns:
            The values k(a_i, a_i), [p].
        """
        ...


@dataclass(frozen=True)
class Gaussian:
    """Sum of Gaussian kernels, Σ_r exp(−‖a − b‖² / r), one for each width r.

    >>> kernel = Gaussian.of([2.0, 8.0])
    >>> a, b = np.zeros((1, 2)), np.array([[0.0, 0.0], [2.0, 0.0]])
    >>> kernel(a, b).round(3).tolist(), kernel.diagonal(b).tolist()
    ([[2.0, 0.742]], [2.0, 2.0])
    """

    r: tuple[float, ...]
    """Widths, each above 0, in squared units of the rows."""
    translates: ClassVar[bool] = True

    @classmethod
    def of(cls, r: float | Sequence[float]) -> Gaussian:
        """Make the kernel of one width or several, checked.

        Args:
            r: Width, or several whose kernels are added, each above 0 and finite, in squared units
                of the rows; `median_bandwidth` gives the usual one.

        Returns:
            The kernel.

        Raises:
            ValueError: no width, or one that is not above 0 and finite.
        """
        widths = tuple(map(float, np.atleast_1d(r)))
        if not widths or not all(np.isfinite(width) and width > 0 for width in widths):
            raise ValueError(f"r is {r}; expected widths above 0, as median_bandwidth gives")
        return cls(widths)

    def __call__(self, a: Floats, b: Floats) -> Floats:
        """Compute k(a_i, b_j), [p, q], of rows a [p, d] and b [q, d]."""
        squared = squared_distances(a, b)
        total = np.exp(squared / -self.r[0])
        for width in self.r[1:]:
            total += np.exp(squared / -width)
        return np.asarray(total)

    def diagonal(self, a: Floats) -> Floats:
        """Compute the kernel of each row with itself.

        Args:
            a: Rows [p, d].

        Returns:
            The number of widths, [p]: each kernel is 1 at distance 0.
        """
        return np.full(len(a), float(len(self.r)))


@dataclass(frozen=True)
class Cubic:
    """Cubic kernel (a·b / d + 1)³, d the number of features (Bińkowski et al. 2018, section 4).

    >>> rows = np.array([[1.0, 1.0], [2.0, 0.0]])
    >>> Cubic()(rows, rows).tolist(), Cubic().diagonal(rows).tolist()
    ([[8.0, 8.0], [8.0, 27.0]], [8.0, 27.0])
    """

    translates: ClassVar[bool] = False

    def __call__(self, a: Floats, b: Floats) -> Floats:
        """Compute k(a_i, b_j), [p, q], of rows a [p, d] and b [q, d]."""
        found = a @ b.T
        found /= a.shape[1]
        found += 1
        return np.asarray(found * found * found)

    def diagonal(self, a: Floats) -> Floats:
        """Compute the kernel of each row with itself.

        Args:
            a: Rows [p, d].

        Returns:
            The values (‖a_i‖² / d + 1)³, [p].
        """
        return np.asarray((np.einsum("ij,ij->i", a, a) / a.shape[1] + 1) ** 3)


@dataclass(frozen=True)
class Distance:
    """Negative distance −‖a − b‖, the kernel of the energy distance.

    Its squared MMD is the energy distance (Sejdinovic et al. 2013, theorem 22).

    >>> rows = np.array([[0.0, 0.0], [3.0, 4.0]])
    >>> Distance()(rows[:1], rows[1:]).tolist(), Distance().diagonal(rows).tolist()
    ([[-5.0]], [0.0, 0.0])
    """

    translates: ClassVar[bool] = True

    def __call__(self, a: Floats, b: Floats) -> Floats:
        """Compute k(a_i, b_j), [p, q], of rows a [p, d] and b [q, d]."""
        found = squared_distances(a, b)
        np.sqrt(found, out=found)
        return np.asarray(np.negative(found, out=found))

    def diagonal(self, a: Floats) -> Floats:
        """Compute the kernel of each row with itself.

        Args:
            a: Rows [p, d].

        Returns:
            Zeros, [p].
        """
        return np.zeros(len(a))


def median_bandwidth(target: ArrayLike) -> float:
    """Compute the median squared distance between rows, the usual width of a Gaussian kernel.

    It is exact up to 2,000 rows; of more, 2,000 evenly spaced ones are taken. With the kernel
    exp(−d²/r) this is the median heuristic (Gretton et al. 2012, section 8).

    Args:
        target: Rows [n, d], n ≥ 2.

    Returns:
        The width r, above 0, in squared units of the rows.

    Raises:
        ValueError: rows of another shape, fewer than 2, ones that are not finite or beyond 1e20, or
            more than half of the pairs are copies.

    >>> median_bandwidth([[0.0], [1.0], [3.0]])
    4.0
    """
    rows = checked(target, "target")
    few = block(rows, _evenly(len(rows)))
    few -= few.mean(axis=0)
    squared = squared_distances(few, few)
    median = float(np.median(squared[np.triu_indices(len(few), 1)]))
    if not median > 0:
        raise ValueError(
            f"the median distance between the {len(rows)} rows of target is 0; give gamma "
            "yourself, or leave out the copies"
        )
    return median


def _evenly(n: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Indices of at most `_EXACT_ROWS` evenly spaced rows of n."""
    if n <= _EXACT_ROWS:
        return np.arange(n, dtype=np.intp)
    return np.linspace(0, n - 1, _EXACT_ROWS).round().astype(np.intp)
