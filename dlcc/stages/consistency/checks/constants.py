"""Values of constants that are no factors, such as the width of a kernel or a label: a search."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from scipy.optimize import least_squares

Difference = Callable[[Mapping[str, float], slice], np.ndarray]
"""Function of (constants, some of the points) that is 0 where a formula is the loss."""

_STARTS = (1.0, 5.0, 0.3)  # of all constants at once, then of one beside others that are 1
_FEW = 6  # points that the search looks at, and two more for each constant
_TOLERANCE = 1e-6


def fitted_constants(
    difference: Difference, names: Sequence[str], points: int
) -> dict[str, float] | None:
    """Find values of constants that make a formula the loss at every point.

    Args:
        difference: Function that is 0 where the formula is the loss.
        names: Names of the constants.
        points: Number of points.

    Returns:
        Values; None where no start of the search leads to any, or where one that the formula
        does not feel can be anything.

    >>> steps = np.arange(1.0, 21.0)
    >>> found = fitted_constants(lambda c, some: steps[some] ** c["p"] - steps[some], ["p"], 20)
    >>> round(found["p"], 6)
    1.0
    """
    for start in _starts(len(names)):
        found = _fit(difference, names, start)
        if found is None:
            continue
        constants = dict(zip(names, found, strict=True))
        off = difference(constants, slice(0, points))
        usable = np.isfinite(off)
        if usable.sum() > len(names) and (np.abs(off[usable]) <= _TOLERANCE).all():
            return {name: _shortened(value) for name, value in constants.items()}
    return None


def _starts(count: int) -> Iterator[tuple[float, ...]]:
    yield from ((start,) * count for start in _STARTS)
    if count > 1:
        yield from (tuple(10.0 if k == at else 1.0 for k in range(count)) for at in range(count))


def _fit(difference: Difference, names: Sequence[str], start: Sequence[float]) -> np.ndarray | None:
    def residuals(values: np.ndarray) -> np.ndarray:
        off = difference(
            dict(zip(names, map(float, values), strict=True)), slice(0, _FEW + 2 * len(names))
        )
        return np.nan_to_num(off, nan=1.0, posinf=1.0, neginf=-1.0)

    fit = least_squares(residuals, list(start), xtol=1e-14, ftol=1e-14, gtol=1e-14, max_nfev=15)
    slopes = np.asarray(fit.jac)
    rank = np.linalg.matrix_rank(slopes, tol=1e-9 * max(1.0, float(np.abs(slopes).max())))
    return fit.x if rank == len(names) and np.abs(fit.fun).max() < _TOLERANCE else None


def _shortened(value: float) -> float:
    """Number as a person wrote it, where it is one."""
    short = 0.0 if abs(value) < _TOLERANCE else float(f"{value:.6g}")
    return short if abs(short - value) <= 1e-7 * (1 + abs(value)) else value
