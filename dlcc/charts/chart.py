"""Chart: what is drawn, as data, apart from how it is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, pairwise
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlcc.typing import Floats

Scale = Literal["linear", "log", "symlog"]
Style = Literal["line", "dashed", "dots", "marks"]

FARTHEST = 1e30
"""Largest size of a number that is drawn: axes end before the numbers of a diverged run do. What is
smaller than 1 over it is drawn as 0."""
MOST_POINTS = 1_200
"""Longest series that is drawn row by row; longer ones are thinned."""
BINS = 600
"""Number of points to which a longer series is thinned."""


@dataclass(frozen=True)
class Trace:
    """One series of a chart."""

    name: str
    """Name in the legend."""
    x: Floats
    """Places [n], ascending where the style is a line."""
    y: Floats
    """Values [n]; NaN leaves a gap."""
    low: Floats | None = None
    """Lower end [n] of a band or of error bars; None without."""
    high: Floats | None = None
    """Upper end [n]."""
    colour: str = "c1"
    """Name of a colour of the page's style, such as `c1` or `fifth1`."""
    style: Style = "line"
    """Way of drawing: dots are many and small, marks are few and have a shape."""
    marker: str = "circle"
    """Shape of marks, one of the page's."""


@dataclass(frozen=True)
class Line:
    """Line across a chart, at a place of one axis."""

    at: float
    """Place on the axis."""
    name: str = ""
    """Name beside the line; empty for none."""
    axis: Literal["x", "y"] = "x"
    """Axis that the place is on."""
    colour: str = "ink"
    """Name of a colour of the page's style."""


@dataclass(frozen=True)
class Span:
    """Stretch of the x axis that stands out."""

    low: float
    """First place."""
    high: float
    """Last place."""


@dataclass(frozen=True)
class Chart:
    """Chart with axes, legend and caption.

    >>> losses = Trace("generator", *points([0, 1, 2], [0.7, 0.9, 0.8]))
    >>> chart = Chart("losses", "Losses", "Loss of each player.", "step", "loss", (losses,))
    >>> chart.x_range(), chart.y_range()
    ((0.0, 2.0), (0.69, 0.91))
    """

    key: str
    """Id on the page, without its prefix."""
    title: str
    """Heading."""
    caption: str
    """Description of what is shown."""
    x_label: str
    """Quantity and unit of the x axis."""
    y_label: str
    """Quantity and unit of the y axis."""
    traces: tuple[Trace, ...]
    lines: tuple[Line, ...] = ()
    spans: tuple[Span, ...] = ()
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    x_limits: tuple[float, float] | None = None
    """Ends of the x axis; None for those of the values."""
    y_limits: tuple[float, float] | None = None
    """Ends of the y axis; None for those of the values."""
    x_names: Mapping[float, str] = field(default_factory=dict)
    """Place on the x axis -> text that stands there instead of numbers; empty for numbers."""
    y_names: Mapping[float, str] = field(default_factory=dict)
    """Place on the y axis -> text that stands there instead of numbers; empty for numbers."""
    of_steps: bool = False
    """Whether x are steps of the run: all such charts share one crosshair."""

    def x_range(self) -> tuple[float, float]:
        """Ends of the x axis: the given ones, or those of the values and of the names."""
        if self.x_limits is not None:
            return self.x_limits
        return _ends([*(t.x for t in self.traces), list(self.x_names)], 0.0, self.x_scale)

    def y_range(self) -> tuple[float, float]:
        """Ends of the y axis: the given ones, or those of the values and a margin."""
        if self.y_limits is not None:
            return self.y_limits
        return _ends(list(self._heights()), 0.05, self.y_scale)

    def _heights(self) -> Iterator[ArrayLike]:
        for trace in self.traces:
            yield trace.y
            if trace.low is not None and trace.high is not None:
                yield trace.low
                yield trace.high
        yield [line.at for line in self.lines if line.axis == "y"]
        yield list(self.y_names)


def named_apart(charts: Sequence[Chart]) -> tuple[Chart, ...]:
    """Number the keys of charts that have one key, so that each can be linked to.

    >>> lone = Chart("loss", "Loss", "", "step", "loss", ())
    >>> [chart.key for chart in named_apart([lone, lone])]
    ['loss', 'loss-2']
    """
    taken: set[str] = set()
    apart = []
    for chart in charts:
        tried = (chart.key if k == 1 else f"{chart.key}-{k}" for k in count(1))
        key = next(key for key in tried if key not in taken)
        taken.add(key)
        apart.append(replace(chart, key=key))
    return tuple(apart)


def points(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Places and values as floats, cut to what axes can show.

    >>> points([1, 2], [1e300, float("nan")])
    (array([1., 2.]), array([1.e+30,    nan]))
    """
    return drawable(np.asarray(x, dtype=np.float64)), drawable(np.asarray(y, dtype=np.float64))


def drawable(values: Floats) -> Floats:
    """Cut finite values to what axes can show; infinities and NaN become NaN, and are not drawn."""
    cut = np.where(np.isfinite(values), values.clip(-FARTHEST, FARTHEST), np.nan)
    return np.where(np.abs(cut) < 1 / FARTHEST, 0.0, cut)


def thinned(
    name: str, steps: NDArray[np.int64], values: Floats, colour: str, style: Style = "line"
) -> Trace:
    """Make the trace of a series; a long one becomes medians within a band from least to largest.

    Args:
        name: Name in the legend.
        steps: Steps [n], ascending.
        values: Values [n].
        colour: Name of a colour of the page's style.
        style: How the medians are drawn.

    Returns:
        Trace of all rows where there are at most `MOST_POINTS`, else of `BINS` bins of equally many
        rows: the first step of each, the median of its finite values, the least and the largest.

    >>> steps = np.arange(6_000)
    >>> trace = thinned("loss", steps, np.where(steps == 77, 9.0, 1.0), "c1")
    >>> len(trace.x), trace.y.max(), trace.high.max()
    (600, np.float64(1.0), np.float64(9.0))
    """
    shown = drawable(np.asarray(values, dtype=np.float64))
    if len(steps) <= MOST_POINTS:
        return Trace(name, np.asarray(steps, dtype=np.float64), shown, colour=colour, style=style)
    edges = np.linspace(0, len(steps), BINS + 1).astype(int)
    rows = np.array([_bin(shown[a:b]) for a, b in pairwise(edges)])
    low, middle, high = rows.T
    first = np.asarray(steps[edges[:-1]], dtype=np.float64)
    return Trace(name, first, middle, low, high, colour=colour, style=style)


def rows_a_point(rows: int) -> int:
    """Largest number of rows that a point of a series of so many rows stands for."""
    return 1 if rows <= MOST_POINTS else -(-rows // BINS)


def wide_scale(values: ArrayLike) -> Scale:
    """Scale that shows values of very different sizes: symlog where linear would hide most.

    >>> wide_scale([1.0, 2.0, 3.0]), wide_scale([0.1, -0.2, 0.1, 4_000.0])
    ('linear', 'symlog')
    """
    sizes = _sizes(values)
    return "symlog" if sizes.size and sizes.max() > 30 * np.median(sizes) else "linear"


def linear_below(values: ArrayLike) -> float:
    """Size below which a symlog axis is linear: three decades under the largest value."""
    sizes = _sizes(values)
    return float(10.0 ** (np.floor(np.log10(sizes.max())) - 3)) if sizes.size else 1.0


def _sizes(values: ArrayLike) -> Floats:
    sizes = np.abs(drawable(np.asarray(values, dtype=np.float64)))
    return sizes[sizes > 0]


def _bin(values: Floats) -> tuple[float, float, float]:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return (np.nan, np.nan, np.nan)
    return float(finite.min()), float(np.median(finite)), float(finite.max())


def _ends(values: Sequence[ArrayLike], margin: float, scale: Scale) -> tuple[float, float]:
    joined = np.concatenate([np.asarray(v, dtype=np.float64).ravel() for v in values])
    joined = joined[np.isfinite(joined)]
    if scale == "log":
        joined = joined[joined > 0]
    if not joined.size:
        return (0.1, 1.0) if scale == "log" else (0.0, 1.0)
    low, high = float(joined.min()), float(joined.max())
    if scale == "log":
        return (low / 2, high * 2) if low == high else (low / 1.1, high * 1.1)
    if low == high:
        off = abs(low) / 2 or 0.5
        return low - off, high + off
    off = margin * (high - low)
    return low - off, high + off
