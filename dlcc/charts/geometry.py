"""Geometry of a chart without scripts: paths in a stretched drawing, texts at percentages.

The drawing is stretched to whatever width there is, and its texts are text of the page. So they
are as large on a phone as on a desk, and take the colours of the page.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcc.charts.chart import Chart, Scale, Trace, linear_below
from dlcc.typing import Floats

WIDTH, HEIGHT = 4_000, 2_000
"""Units of the drawing."""
_TICKS = 5
_NEAR = 0.12  # share of the width within which two names would lie on each other


@dataclass(frozen=True)
class Path:
    """Path of the drawing."""

    d: str
    """Commands, in units of the drawing."""
    style: str
    """Class of the path: `line`, `dashed`, `dots`, `band`, `span` or `rule`."""
    colour: str
    """Name of a colour of the page's style."""


@dataclass(frozen=True)
class Mark:
    """Mark with a shape, at percentages of the drawing."""

    left: float
    top: float
    marker: str
    colour: str
    title: str
    """Text that hovering shows."""


@dataclass(frozen=True)
class Tick:
    """Text beside an axis, at a percentage of it: from the left, or from the top."""

    at: float
    text: str


@dataclass(frozen=True)
class Name:
    """Name of a line across a chart, at a percentage from the left."""

    at: float
    text: str
    low: bool
    """Whether it stands under the upper edge, since another name is above it."""


@dataclass(frozen=True)
class Geometry:
    """Drawing of a chart."""

    paths: tuple[Path, ...]
    marks: tuple[Mark, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    names: tuple[Name, ...]
    """Names of lines across the chart."""


@dataclass(frozen=True)
class Axis:
    """Axis from its ends to [0, 1].

    >>> Axis(0, 10).place(np.array([0.0, 5.0, 10.0]))
    array([0. , 0.5, 1. ])
    >>> Axis(1, 100, "log").place(np.array([10.0]))
    array([0.5])
    """

    low: float
    high: float
    scale: Scale = "linear"
    linear: float = 1.0
    """Size below which a symlog axis is linear."""

    def place(self, values: Floats) -> Floats:
        """Places of values; those that a logarithmic axis cannot show are NaN."""
        low, high = self._raised(np.array([self.low, self.high]))
        share: Floats = (self._raised(values) - low) / ((high - low) or 1.0)
        return share

    def _raised(self, values: Floats) -> Floats:
        if self.scale == "log":
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(values > 0, np.log10(values), np.nan)
        if self.scale == "symlog":
            return np.arcsinh(values / self.linear)
        return values

    def ticks(self) -> list[float]:
        """Round numbers within the axis, at most six."""
        if self.scale == "linear":
            return _round_numbers(self.low, self.high)
        return _powers(self.low, self.high, self.linear if self.scale == "symlog" else 0.0)


def geometry(chart: Chart) -> Geometry:
    """Lay a chart out."""
    x, y = axes(chart)
    return Geometry(
        paths=tuple(_paths(chart, x, y)),
        marks=tuple(mark for t in chart.traces if t.style == "marks" for mark in _marks(t, x, y)),
        x_ticks=tuple(
            Tick(100 * at, text) for at, text in _texts(x, dict(chart.x_names)) if 0 <= at <= 1
        ),
        y_ticks=tuple(
            Tick(100 * (1 - at), text)
            for at, text in _texts(y, dict(chart.y_names))
            if 0 <= at <= 1
        ),
        names=tuple(_names(chart, x)),
    )


def axes(chart: Chart) -> tuple[Axis, Axis]:
    """Both axes of a chart."""
    heights = [t.y for t in chart.traces] or [np.zeros(1)]
    places = [t.x for t in chart.traces] or [np.zeros(1)]
    return (
        Axis(*chart.x_range(), chart.x_scale, linear_below(np.concatenate(places))),
        Axis(*chart.y_range(), chart.y_scale, linear_below(np.concatenate(heights))),
    )


def number_text(value: float) -> str:
    """Write a number beside an axis: short, with thousands set apart.

    >>> [number_text(v) for v in (0.0, 0.25, 1600.0, -3e-05, 2e7)]
    ['0', '0.25', '1,600', '-3e-5', '2e7']
    """
    if not math.isfinite(value):
        return str(value)
    size = abs(value)
    if size and (size >= 1e6 or size < 1e-3):
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:,.0f}" if size >= 1_000 else f"{value:.4g}"


def _names(chart: Chart, x: Axis) -> Iterator[Name]:
    placed: list[float] = []
    for line in chart.lines:
        at = _one(x, line.at)
        if line.axis == "x" and line.name and 0 <= at <= 1:
            yield Name(100 * at, line.name, any(abs(at - other) < _NEAR for other in placed))
            placed.append(at)


def _paths(chart: Chart, x: Axis, y: Axis) -> Iterator[Path]:
    for span in chart.spans:
        low, high = WIDTH * _within(_one(x, span.low)), WIDTH * _within(_one(x, span.high))
        yield Path(f"M{low:.0f} 0H{high:.0f}V{HEIGHT}H{low:.0f}Z", "span", "ink")
    for trace in chart.traces:
        if trace.low is not None and trace.high is not None:
            yield Path(_band(trace, x, y), "band", trace.colour)
    for trace in chart.traces:
        if trace.style != "marks":
            draw_trace = _dots if trace.style == "dots" else _line
            yield Path(draw_trace(*_placed(trace.x, trace.y, x, y)), trace.style, trace.colour)
    for line in chart.lines:
        at = _one(x if line.axis == "x" else y, line.at)
        if 0 <= at <= 1:
            across = f"M{WIDTH * at:.0f} 0V{HEIGHT}" if line.axis == "x" else _across(at)
            yield Path(across, "rule", line.colour)


def _across(at: float) -> str:
    return f"M0 {HEIGHT * (1 - at):.0f}H{WIDTH}"


def _placed(x: Floats, y: Floats, along: Axis, up: Axis) -> tuple[Floats, Floats]:
    """Units of the drawing; what lies far outside is cut to three times its size."""
    left, top = along.place(x), 1 - up.place(y)
    return WIDTH * left.clip(-1, 2), HEIGHT * top.clip(-1, 2)


def _line(left: Floats, top: Floats) -> str:
    parts, drawn = [], False
    for a, b in zip(left, top, strict=True):
        shown = math.isfinite(a) and math.isfinite(b)
        if shown:
            parts.append(f"{'L' if drawn else 'M'}{a:.0f} {b:.0f}")
        drawn = shown
    return "".join(parts)


def _dots(left: Floats, top: Floats) -> str:
    pairs = zip(left, top, strict=True)
    return "".join(f"M{a:.0f} {b:.0f}h0" for a, b in pairs if math.isfinite(a + b))


def _band(trace: Trace, x: Axis, y: Axis) -> str:
    """Outline of the band, a piece between two gaps."""
    assert trace.low is not None
    assert trace.high is not None
    left, upper = _placed(trace.x, trace.high, x, y)
    _, lower = _placed(trace.x, trace.low, x, y)
    known = np.flatnonzero(np.isfinite(left + upper + lower))
    pieces = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1) if known.size else []
    return "".join(
        _line(left[p], upper[p]) + _line(left[p][::-1], lower[p][::-1]).replace("M", "L", 1) + "Z"
        for p in pieces
    )


def _marks(trace: Trace, x: Axis, y: Axis) -> Iterator[Mark]:
    left, top = 100 * x.place(trace.x), 100 * (1 - y.place(trace.y))
    for i, (a, b) in enumerate(zip(left, top, strict=True)):
        if math.isfinite(a + b):
            shown = f"{trace.name}: {number_text(trace.x[i])}, {number_text(trace.y[i])}"
            yield Mark(round(float(a), 2), round(float(b), 2), trace.marker, trace.colour, shown)


def _texts(axis: Axis, names: dict[float, str]) -> Iterator[tuple[float, str]]:
    shown = names or {value: number_text(value) for value in axis.ticks()}
    for value, text in shown.items():
        yield _one(axis, value), text


def _one(axis: Axis, value: float) -> float:
    return float(axis.place(np.array([value]))[0])


def _within(share: float) -> float:
    return min(max(share, 0.0), 1.0)


def _round_numbers(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within an interval, at most six."""
    if not high > low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / _TICKS))
    step = next(step * k for k in (1, 2, 5, 10, 20) if (high - low) / (step * k) <= _TICKS)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{k * step:.12g}") for k in range(first, last + 1)]


def _powers(low: float, high: float, linear: float) -> list[float]:
    """Powers of ten within an interval, with both signs and 0 where it reaches below `linear`."""
    sizes = [s for s in (abs(low), abs(high)) if s > 0]
    least = low if low > 0 else linear
    exponents = range(math.floor(math.log10(least)), math.ceil(math.log10(max(sizes))) + 1)
    found = [10.0**e for e in exponents]
    both = [-v for v in reversed(found)] + [0.0] + found if low <= 0 else found
    inside = [v for v in both if low <= v <= high]
    if len(inside) < 2:
        return _round_numbers(low, high)
    stride = -(-len(inside) // (_TICKS + 1))
    zero = inside.index(0.0) if 0.0 in inside else 0
    return [v for i, v in enumerate(inside) if (i - zero) % stride == 0]
