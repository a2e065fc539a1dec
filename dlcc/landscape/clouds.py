"""Gradient clouds: trainings as points of loss and gradient norm, and the kinds of points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from dlcc.landscape._engine.cloud_shapes import robustly_scaled, shape_of, smoothed_path
from dlcc.landscape.cloud_shape import FIFTHS, CloudShape
from dlcc.typing import Floats, Ints

CurvatureClass = Literal["convex", "concave", "saddle", "singular"]
"""Kind of a point, by the signs of its Hessian's extreme eigenvalues."""

LEAST = 10
"""Points that a cloud takes at least."""


class HasExtremeEigenvalues(Protocol):
    """Smallest and largest eigenvalue, and how far off each may be.

    >>> from dlcc.landscape import ExtremeEigenvalues
    >>> found: HasExtremeEigenvalues = ExtremeEigenvalues(-1.0, 2.0, 0.1, 0.1, 9, True)
    >>> found.smallest
    -1.0
    """

    @property
    def smallest(self) -> float:
        """Smallest eigenvalue.

        >>> from dlcc.landscape import ExtremeEigenvalues
        >>> ExtremeEigenvalues(-1.0, 2.0, 0.1, 0.2, 9, True).smallest
        -1.0
        """
        ...

    @property
    def smallest_error(self) -> float:
        """Distance within which an eigenvalue lies from `smallest`.

        >>> from dlcc.landscape import ExtremeEigenvalues
        >>> ExtremeEigenvalues(-1.0, 2.0, 0.1, 0.2, 9, True).smallest_error
        0.1
        """
        ...

    @property
    def largest(self) -> float:
        """Largest eigenvalue.

        >>> from dlcc.landscape import ExtremeEigenvalues
        >>> ExtremeEigenvalues(-1.0, 2.0, 0.1, 0.2, 9, True).largest
        2.0
        """
        ...

    @property
    def largest_error(self) -> float:
        """Distance within which an eigenvalue lies from `largest`.

        >>> from dlcc.landscape import ExtremeEigenvalues
        >>> ExtremeEigenvalues(-1.0, 2.0, 0.1, 0.2, 9, True).largest_error
        0.2
        """
        ...


@dataclass(frozen=True)
class GradientCloud:
    """Points of a training, and their shape.

    >>> from dlcc.landscape import gradient_cloud
    >>> cloud = gradient_cloud([*range(11), float("nan")], [1.0] * 12)
    >>> len(cloud.loss), cloud.left_out, cloud.fifth[0], cloud.fifth[-1]
    (11, 1, np.int64(0), np.int64(4))
    """

    steps: Floats
    """Steps of the points that are finite, ascending, [n]."""
    loss: Floats
    """Loss at each point, [n]."""
    gradient_norm: Floats
    """Norm of the gradient at each point, [n]."""
    fifth: Ints
    """Fifth of the training that each belongs to, 0 to 4, [n]."""
    left_out: int
    """Points whose loss or gradient norm is not finite."""
    whole: CloudShape
    """Shape of all points."""
    fifths: tuple[CloudShape, ...]
    """Shape of each of the five fifths."""


def gradient_cloud(
    loss: ArrayLike,
    gradient_norm: ArrayLike,
    steps: ArrayLike | None = None,
    *,
    length: float | None = None,
) -> GradientCloud:
    """Make the cloud of a player's series.

    Source: Moses, Malan and Bosman 2021, for the cloud and its fifths; the measures of its shape
        are
    this package's own.

    Args:
        loss: series [n].
        gradient_norm: series [n], at least 0.
        steps: steps [n], ascending; 0 to n − 1 by default.
        length: steps of the whole training from step 0 on, of which the fifths are; by default it
            begins at the first step given and ends with the last.

    Returns:
        The points that are finite, and their shape.

    Raises:
        ValueError: the series differ in length, the steps do not ascend, a norm is negative, or
            fewer than 10 points are finite.

    >>> import numpy as np
    >>> turn = np.linspace(0, 2 * np.pi, 200)
    >>> cloud = gradient_cloud(np.cos(turn), 2 + np.sin(turn))
    >>> round(cloud.whole.net_turn / (2 * np.pi), 1)
    1.0
    """
    x, y, at = _checked_series(loss, gradient_norm, steps)
    there = np.isfinite(x) & np.isfinite(y)
    if there.sum() < LEAST:
        raise ValueError(
            f"{int(there.sum())} of {len(x)} points are finite; a cloud takes at least {LEAST}"
        )
    fifth = _fifths(at, length)[there]
    x, y, at = x[there], y[there], at[there]
    points = np.stack([robustly_scaled(x), robustly_scaled(y)], axis=1)
    path = smoothed_path(points, fifth)
    return GradientCloud(
        steps=at,
        loss=x,
        gradient_norm=y,
        fifth=fifth,
        left_out=int((~there).sum()),
        whole=shape_of(points, fifth, path, np.ones(len(path.segments), dtype=bool)),
        fifths=tuple(
            shape_of(points[fifth == k], _fifths(at[fifth == k]), path, path.fifth[1:] == k)
            for k in range(FIFTHS)
        ),
    )


def curvature_class(spectrum: HasExtremeEigenvalues, tol: float = 1e-3) -> CurvatureClass:
    """Tell the kind of a point from its Hessian.

    An end of the spectrum counts as 0 if its size is at most `tol` of the larger one's, and as
    undecided if it is at most its error. With both ends decided a point is convex (both above 0),
    concave (both below) or a saddle (one of each); else it is singular.

    Source: Bosman, Engelbrecht and Helbig 2020, for the four classes; the tolerance is this
    package's own.

    Args:
        spectrum: extreme eigenvalues of the Hessian, with their errors.
        tol: relative to the larger end's size.

    Returns:
        "convex", "concave", "saddle" or "singular".

    Raises:
        ValueError: `tol` is not from 0 to 1.

    >>> from dlcc.landscape import ExtremeEigenvalues
    >>> curvature_class(ExtremeEigenvalues(-1.0, 2.0, 0.1, 0.1, 9, True))
    'saddle'
    >>> curvature_class(ExtremeEigenvalues(0.05, 2.0, 0.1, 0.1, 9, True))
    'singular'
    """
    if not 0 <= tol < 1:
        raise ValueError(f"tol is {tol}; expected a number from 0 to below 1")
    size = max(abs(spectrum.smallest), abs(spectrum.largest))
    signs = [
        int(np.sign(value)) if abs(value) > tol * size and abs(value) > error else 0
        for value, error in (
            (spectrum.smallest, spectrum.smallest_error),
            (spectrum.largest, spectrum.largest_error),
        )
    ]
    if 0 in signs:
        return "singular"
    if signs[0] != signs[1]:
        return "saddle"
    return "convex" if signs[0] > 0 else "concave"


def _checked_series(
    loss: ArrayLike, gradient_norm: ArrayLike, steps: ArrayLike | None
) -> tuple[Floats, Floats, Floats]:
    """Loss, gradient norm and steps, each [n], or a ValueError."""
    x, y = _series(loss, "loss"), _series(gradient_norm, "gradient_norm")
    at = np.arange(len(x), dtype=np.float64) if steps is None else _series(steps, "steps")
    if not len(x) == len(y) == len(at):
        raise ValueError(
            f"loss has {len(x)} points, gradient_norm {len(y)}, steps {len(at)}; expected one each"
        )
    if not (np.isfinite(at).all() and (np.diff(at) > 0).all()):
        raise ValueError("steps do not ascend; expected each one once, in order")
    if (y < 0).any():
        raise ValueError(
            f"gradient_norm has {int((y < 0).sum())} negative numbers; a norm has none"
        )
    return x, y, at


def _series(values: ArrayLike, name: str) -> Floats:
    """Numbers as an array [n], or a ValueError."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1:
        raise ValueError(f"{name} has the shape {list(found.shape)}; expected a series [n]")
    return found


def _fifths(steps: Floats, length: float | None = None) -> Ints:
    """Fifth of the way that each step lies in, [n]."""
    if length is not None:
        if not length > 0:
            raise ValueError(f"length is {length}; expected steps above 0")
        share = steps / length
    elif len(steps) < 2:
        share = np.zeros(len(steps))
    else:  # the last step lasts as long as the others do on average
        share = (steps - steps[0]) / ((steps[-1] - steps[0]) * len(steps) / (len(steps) - 1))
    # a share of exactly one fifth may come out a rounding below
    return np.clip(np.floor(FIFTHS * share + 1e-9), 0, FIFTHS - 1).astype(np.int64)
