"""Gradient clouds: a training as points of loss and gradient norm, and the shape that they make.

Shapes are measured in robust units of the whole cloud: each axis by its median and its
interquartile range / 1.349, which is one standard deviation of normal numbers; where that is 0, by
its standard deviation; an axis on which all points agree counts as 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from dlcc.typing import Bools, Floats, Ints

CurvatureClass = Literal["convex", "concave", "saddle", "singular"]

FIFTHS = 5
LEAST = 10
"""Points that a cloud takes."""
CENTRAL = 0.95
"""Share of the points that are nearest to the median: the central ones."""
AXES = 12
"""Along which heaps are looked for."""
CELL = 0.5
"""Side of the cells in which a path is said to return, in robust units."""
VERTICES = 20
"""Of the smoothed path in each fifth, at most."""
_FAR = 1e15
"""Cells from the middle, beyond which all are one."""
_AGREE = 1e-12
"""Of the middle numbers on an axis: a scale below that is rounding."""


class HasExtremeEigenvalues(Protocol):
    """The smallest and the largest eigenvalue, and how far off each may be."""

    @property
    def smallest(self) -> float: ...

    @property
    def smallest_error(self) -> float: ...

    @property
    def largest(self) -> float: ...

    @property
    def largest_error(self) -> float: ...


@dataclass(frozen=True)
class CloudShape:
    """The shape of a cloud or of one of its fifths; NaN where too few points tell."""

    points: int
    drift: float
    """Distance between the medians of its first and its last fifth in which there are points (a
    fifth has fifths of its own), in robust units."""
    spread: float
    """Median distance of its points from their median, in robust units."""
    area: float
    """Of the convex hull, in squared robust units; 0 where the points lie on a line."""
    central_area: float
    """Of the hull of the central 95 %."""
    turn: float
    """Mean size of the angle between one segment of the smoothed path (of the medians of at most 20
    blocks of points a fifth) and the next, in radians: 0 on a straight way, π/2 where directions
    are drawn by chance, π to and fro."""
    net_turn: float
    """The sum of these angles with their signs, in radians: 2π for each turn against the clock,
    loss to the right and gradient up. Exact reversals have no sign and count as 0."""
    returns: float
    """Share of the smoothed path's length that lies in returns. Cells have sides of half a robust
    unit; a segment is a return if it enters a cell in which an earlier fifth had a vertex, or goes
    on in a cell that was so entered. The first fifth cannot return and does not count."""
    bimodality: float
    """Sarle's coefficient (G₁² + 1)/(G₂ + 3(n−1)²/((n−2)(n−3))) of the central points (Pfister et
    al. 2013, equation 1), the largest along 12 axes, 15° apart: .4 for a normal cloud, 5/9 for a
    line that is evenly run along, towards 1 for two heaps; skewed heaps raise it too. Not along the
    longest axis, since robust units draw two heaps together."""


@dataclass(frozen=True)
class GradientCloud:
    """The points of a training, and their shape."""

    steps: Floats
    """Of the points that are finite, ascending, [n]."""
    loss: Floats
    """[n]"""
    gradient_norm: Floats
    """[n]"""
    fifth: Ints
    """Which fifth of the training each belongs to, 0 to 4, [n]."""
    left_out: int
    """Points whose loss or gradient norm is not finite."""
    whole: CloudShape
    fifths: tuple[CloudShape, ...]
    """Of each of the five."""


def gradient_cloud(
    loss: ArrayLike,
    gradient_norm: ArrayLike,
    steps: ArrayLike | None = None,
    *,
    length: float | None = None,
) -> GradientCloud:
    """The cloud of a player's series.

    Args:
        loss: [n]
        gradient_norm: [n]
        steps: [n], ascending; 0 to n − 1 by default.
        length: steps of the whole training from step 0 on, of which the fifths are; by default it
            begins at the first step given and ends with the last.

    Raises:
        ValueError: the series differ in length, the steps do not ascend, a norm is negative, or
            fewer than 10 points are finite.
    """
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
    there = np.isfinite(x) & np.isfinite(y)
    if there.sum() < LEAST:
        raise ValueError(
            f"{int(there.sum())} of {len(x)} points are finite; a cloud takes at least {LEAST}"
        )
    fifth = _fifths(at, length)[there]
    x, y, at = x[there], y[there], at[there]
    points = np.stack([_scaled(x), _scaled(y)], axis=1)
    path = _path(points, fifth)
    return GradientCloud(
        steps=at,
        loss=x,
        gradient_norm=y,
        fifth=fifth,
        left_out=int((~there).sum()),
        whole=_shape(points, fifth, path, np.ones(len(path.segments), dtype=bool)),
        fifths=tuple(
            _shape(points[fifth == k], _fifths(at[fifth == k]), path, path.fifth[1:] == k)
            for k in range(FIFTHS)
        ),
    )


def curvature_class(spectrum: HasExtremeEigenvalues, tol: float = 1e-3) -> CurvatureClass:
    """What the Hessian says of a point.

    An end of the spectrum counts as 0 if its size is at most `tol` of the larger one's, and as
    undecided if it is at most its error. With both ends decided a point is convex (both above 0),
    concave (both below) or a saddle (one of each); else it is singular.

    Args:
        spectrum: extreme eigenvalues of the Hessian, with their errors.
        tol: relative to the larger end's size.

    Raises:
        ValueError: `tol` is not from 0 to 1.
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


# --- points ---------------------------------------------------------------------------------------


def _series(values: ArrayLike, name: str) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1:
        raise ValueError(f"{name} has the shape {list(found.shape)}; expected a series [n]")
    return found


def _fifths(steps: Floats, length: float | None = None) -> Ints:
    """Which fifth of the way each step lies in, [n]."""
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


def _scaled(x: Floats) -> Floats:
    """One axis in robust units."""
    centre = float(np.median(x))
    low, high = np.quantile(x, [0.25, 0.75])
    rounding = _AGREE * max(abs(low), abs(high), abs(centre))  # an outlier is no rounding
    for scale in (float(high - low) / 1.349, float(x.std())):
        if scale > rounding:
            return (x - centre) / scale
    return np.zeros_like(x)


# --- shape ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Path:
    """The way of the medians of blocks of points through the cloud."""

    segments: Floats
    """From each vertex to the next, [vertices − 1, 2]."""
    fifth: Ints
    """Of each vertex."""
    returning: Bools
    """Of each segment."""


def _path(points: Floats, fifth: Ints) -> _Path:
    middles, of = [], []
    for k in range(FIFTHS):
        own = points[fifth == k]
        blocks = min(VERTICES, max(1, len(own) // 2)) if len(own) else 0
        middles += (
            [np.median(block, axis=0) for block in np.array_split(own, blocks)] if blocks else []
        )
        of += [k] * blocks
    vertices = np.array(middles)
    # the cloud's median is on an edge, where rounding must not choose the cell
    edges = np.floor(vertices / CELL + 1e-9).clip(-_FAR, _FAR)
    cells = [tuple(cell) for cell in edges.tolist()]
    first_seen: dict[tuple[float, ...], int] = {}
    returning = np.zeros(len(cells), dtype=bool)
    for i, (cell, k) in enumerate(zip(cells, of, strict=True)):
        inside = i > 0 and cells[i - 1] == cell
        returning[i] = returning[i - 1] if inside else first_seen.get(cell, k) < k
        first_seen.setdefault(cell, k)
    return _Path(np.diff(vertices, axis=0), np.array(of, dtype=np.int64), returning[1:])


def _shape(points: Floats, fifth: Ints, path: _Path, own: Bools) -> CloudShape:
    """Of some points, their fifths, and the path's segments that end among them."""
    if len(points) == 0:
        return CloudShape(0, *[math.nan] * 8)
    first, last = points[fifth == fifth.min()], points[fifth == fifth.max()]
    distance = np.linalg.norm(points - np.median(points, axis=0), axis=1)
    central = points[distance <= np.quantile(distance, CENTRAL)]
    turn, net_turn = _turns(path.segments[own])
    return CloudShape(
        points=len(points),
        drift=float(np.linalg.norm(np.median(last, axis=0) - np.median(first, axis=0))),
        spread=float(np.median(distance)),
        area=_hull_area(points),
        central_area=_hull_area(central),
        turn=turn,
        net_turn=net_turn,
        returns=_returns(path, own),
        bimodality=_bimodality(central),
    )


def _hull_area(points: Floats) -> float:
    from scipy.spatial import ConvexHull, QhullError

    low, sides = points.min(axis=0), np.ptp(points, axis=0)
    if len(points) < 3 or not sides.all():
        return 0.0
    try:  # in a square: far outliers make boxes that are too narrow for it
        return float(ConvexHull((points - low) / sides).volume * sides.prod())
    except QhullError:  # on a line
        return 0.0


def _turns(segments: Floats) -> tuple[float, float]:
    """Mean size and sum of the angles from a segment to the next; NaN with less than two."""
    moved = segments[np.linalg.norm(segments, axis=1) > 1e-9]
    if len(moved) < 2:
        return math.nan, math.nan
    a, b = moved[:-1], moved[1:]
    angles = np.arctan2(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], (a * b).sum(axis=1))
    signed = angles[np.abs(angles) < math.pi - 1e-9]
    return float(np.abs(angles).mean()), float(signed.sum())


def _returns(path: _Path, own: Bools) -> float:
    counted = own & (path.fifth[1:] > path.fifth[0])
    lengths = np.linalg.norm(path.segments, axis=1)
    total = float(lengths[counted].sum())
    return float(lengths[counted & path.returning].sum()) / total if total > 0 else math.nan


def _bimodality(points: Floats) -> float:
    from scipy.stats import kurtosis, skew

    n = len(points)
    if n < 4:
        return math.nan
    angles = np.arange(AXES) * math.pi / AXES
    along = (points - points.mean(axis=0)) @ np.stack([np.cos(angles), np.sin(angles)])
    deviations = along.std(axis=0)
    wide = along[:, deviations > max(1e-6 * deviations.max(), _AGREE)]
    if wide.size == 0:
        return math.nan
    of_tails = kurtosis(wide, bias=False) + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))
    return float(np.max((skew(wide, bias=False) ** 2 + 1) / of_tails))
