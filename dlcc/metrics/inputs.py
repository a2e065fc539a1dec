"""Checks of the rows that metrics are given, and their blocks: never more than one in float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlcc.typing import Floats, Rows

BLOCK_VALUES = 1 << 22
"""Number of values that are converted to float64 at a time (32 MB), and of pairs held at a time."""
BLOCK_ROWS = 2048
"""Largest number of rows in a block: a block of pairs is then `BLOCK_VALUES`."""
_LARGEST = 1e20
"""Largest number allowed: above it sixth powers, which the KID's variance takes, overflow."""


def checked(x: ArrayLike, name: str, at_least: int = 2) -> Rows:
    """Check rows [n, d] and return them as they are, without a copy.

    Raises:
        ValueError: another shape, numbers that are not real or not finite, or too few rows.
    """
    rows = np.asarray(x)
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(
            f"{name} has the shape {list(rows.shape)}; expected rows [n, features]: reshape images "
            "to rows, or give the features of a network"
        )
    if rows.dtype.kind not in "fiub":
        raise ValueError(f"{name} is of type {rows.dtype}; expected real numbers")
    if len(rows) < at_least:
        raise ValueError(
            f"{name} has {len(rows)} rows; this needs at least {at_least}: draw more samples"
        )
    bad = sum(int(_bad(rows[part]).sum()) for part in parts(rows)) if rows.dtype.kind == "f" else 0
    if bad:
        raise ValueError(
            f"{bad} of the {len(rows)} rows of {name} are not finite, or beyond 1e20; leave them "
            "out, or measure before the training diverges"
        )
    return rows


def checked_pair(generated: ArrayLike, data: ArrayLike, at_least: int = 2) -> tuple[Rows, Rows]:
    """Check both sets, rows [n, d] and [m, d], and that their features are as many.

    Raises:
        ValueError: as `checked`, or the sets differ in their features.
    """
    x, y = checked(generated, "generated", at_least), checked(data, "data", at_least)
    if x.shape[1] != y.shape[1]:
        raise ValueError(
            f"generated has {x.shape[1]} features and data {y.shape[1]}; expected the same: take "
            "both from the same function"
        )
    return x, y


def checked_count(count: int, name: str, least: int, most: float = np.inf) -> int:
    """Check that a count is a whole number within bounds.

    Raises:
        ValueError: the count is not.
    """
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)):
        raise ValueError(f"{name} is {count!r}; expected a whole number")
    if not least <= count <= most:
        above = f" to {most:g}" if np.isfinite(most) else " or more"
        raise ValueError(f"{name} is {count}; expected {least}{above}")
    return int(count)


def parts(x: Rows) -> Iterator[slice]:
    """Slices of rows that are small enough to be converted to float64."""
    step = side(x.shape[1])
    for start in range(0, len(x), step):
        yield slice(start, min(start + step, len(x)))


def side(d: int) -> int:
    """Number of rows in a block of d features."""
    return max(1, min(BLOCK_ROWS, BLOCK_VALUES // d))


def block(x: Rows, rows: slice | NDArray[np.intp], centre: Floats | None = None) -> Floats:
    """Convert rows to float64, less a centre [d] where one is given."""
    if centre is None:
        return np.asarray(x[rows], dtype=np.float64)
    found: Floats = np.subtract(x[rows], centre, dtype=np.float64)
    return found


def mean_of(x: Rows) -> Floats:
    """Mean row [d], summed in float64."""
    total = np.zeros(x.shape[1])
    for part in parts(x):
        total += block(x, part).sum(axis=0)
    return total / len(x)


def _bad(rows: Rows) -> NDArray[np.bool_]:
    """Tell which rows hold a number that is not finite or too large, [n]."""
    if rows.dtype.itemsize == 2:  # whose largest number is far below
        return np.asarray(~np.isfinite(rows).all(axis=1))
    return np.asarray(~(np.abs(rows) <= _LARGEST).all(axis=1))
