"""Measures of a gradient cloud's shape, and the path of its medians."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dlcc.landscape.cloud_shape import FIFTHS, CloudShape
from dlcc.typing import Bools, Floats, Ints

CENTRAL = 0.95
"""Share of the points that are nearest to the median: the central ones."""

AXES = 12
"""Number of axes along which heaps are looked for."""

CELL = 0.5
"""Side of the cells in which a path is said to return, in robust units."""

VERTICES = 20
"""Most vertices of the smoothed path in each fifth."""

_FAR = 1e15
"""Cells from the middle, beyond which all count as one."""

_AGREE = 1e-12
"""Share of the middle numbers on an axis below which a scale is rounding."""


def robustly_scaled(x: Floats) -> Floats:
    """One axis in robust units."""
    centre = float(np.median(x))
    low, high = np.quantile(x, [0.25, 0.75])
    rounding = _AGREE * max(abs(low), abs(high), abs(centre))  # an outlier is no rounding
    for scale in (float(high - low) / 1.349, float(x.std())):
        if scale > rounding:
            return (x - centre) / scale
    return np.zeros_like(x)


@dataclass(frozen=True)
class SmoothedPath:
    """Way of the medians of blocks of points through the cloud."""

    segments: Floats
    """Vectors from each vertex to the next, [vertices − 1, 2]."""
    fifth: Ints
    """Fifth of each vertex, [vertices]."""
    returning: Bools
    """Whether each segment is a return, [vertices − 1]."""


def smoothed_path(points: Floats, fifth: Ints) -> SmoothedPath:
    """Path of the medians of blocks of points through a cloud, at most 20 blocks a fifth."""
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
    return SmoothedPath(np.diff(vertices, axis=0), np.array(of, dtype=np.int64), returning[1:])


def shape_of(points: Floats, fifth: Ints, path: SmoothedPath, own: Bools) -> CloudShape:
    """Shape of some points, from their fifths and the path's segments that end among them."""
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
    """Area of the convex hull of points [n, 2]."""
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


def _returns(path: SmoothedPath, own: Bools) -> float:
    """Share of the path's length that lies in returns; NaN where none could be."""
    counted = own & (path.fifth[1:] > path.fifth[0])
    lengths = np.linalg.norm(path.segments, axis=1)
    total = float(lengths[counted].sum())
    return float(lengths[counted & path.returning].sum()) / total if total > 0 else math.nan


def _bimodality(points: Floats) -> float:
    """Largest of Sarle's coefficients along the axes; NaN of too few points.

    It is (g² + 1) / (k + 3·(n−1)² / ((n−2)·(n−3))) with the unbiased skewness g and excess kurtosis
    k, of which little is left once they are put in; scipy.stats is slow to import.
    """
    n = len(points)
    if n < 4:
        return math.nan
    angles = np.arange(AXES) * math.pi / AXES
    along = (points - points.mean(axis=0)) @ np.stack([np.cos(angles), np.sin(angles)])
    deviations = along.std(axis=0)
    wide = along[:, deviations > max(1e-6 * deviations.max(), _AGREE)]
    if wide.size == 0:
        return math.nan
    central = wide - wide.mean(axis=0)
    second, third, fourth = ((central**power).mean(axis=0) for power in (2, 3, 4))
    skewness = third / second**1.5 * math.sqrt(n * (n - 1)) / (n - 2)
    of_tails = (n**2 - 1) * fourth / second**2 / ((n - 2) * (n - 3))
    return float(np.max((skewness**2 + 1) / of_tails))
