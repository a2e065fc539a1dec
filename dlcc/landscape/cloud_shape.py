"""Shapes of gradient clouds: how far they drift, spread, turn and return.

Shapes are measured in robust units of the whole cloud: each axis by its median and its
interquartile range / 1.349, which is one standard deviation of normal numbers; where that is 0, by
its standard deviation; an axis on which all points agree counts as 0.
"""

from __future__ import annotations

from dataclasses import dataclass

FIFTHS = 5
"""Parts of a training that are looked at on their own."""


@dataclass(frozen=True)
class CloudShape:
    """Shape of a cloud or of one of its fifths; NaN where too few points tell.

    >>> from dlcc.landscape import gradient_cloud
    >>> shape = gradient_cloud(range(20), [1.0] * 20).whole
    >>> shape.points, shape.area, round(shape.drift, 2)
    (20, 0.0, 2.27)
    """

    points: int
    """Number of points."""
    drift: float
    """Distance between the medians of the cloud's first and last fifth in which there are points (a
    fifth has fifths of its own), in robust units."""
    spread: float
    """Median distance of the points from their median, in robust units."""
    area: float
    """Area of the convex hull, in squared robust units; 0 where the points lie on a line."""
    central_area: float
    """Area of the convex hull of the central 95 % of points, in squared robust units."""
    turn: float
    """Mean size of the angle between one segment of the smoothed path (of the medians of at most 20
    blocks of points a fifth) and the next, in radians: 0 on a straight way, π/2 where directions
    are drawn by chance, π to and fro."""
    net_turn: float
    """Sum of the angles between one segment of the smoothed path and the next, with their signs, in
    radians: 2π for each turn against the clock, loss to the right and gradient up. Exact reversals
    have no sign and count as 0."""
    returns: float
    """Share of the smoothed path's length that lies in returns. Cells have sides of half a robust
    unit; a segment is a return if it enters a cell in which an earlier fifth had a vertex, or goes
    on in a cell that was so entered. The first fifth cannot return and does not count."""
    bimodality: float
    """Sarle's coefficient (G₁² + 1)/(G₂ + 3(n−1)²/((n−2)(n−3))) of the central points (Pfister et
    al. 2013, equation 1), the largest along 12 axes, 15° apart: .4 for a normal cloud, 5/9 for a
    line that is evenly run along, towards 1 for two heaps; skewed heaps raise it too. Not along the
    longest axis, since robust units draw two heaps together."""
