"""Charts of numbers, as SVG text made by hand: no text of a run gets into them."""

from __future__ import annotations

from collections.abc import Sequence

from dlcc.records import Diffusion, Forecast, RerunOutcome

BLUE, ORANGE, INK, DIM, LINE = "#0b6e99", "#c2571a", "#1c1c1c", "#666", "#ddd"
LABEL_COLOURS = {
    "healthy": "#1b6e3c",
    "weak": "#8a5a00",
    "oscillating": "#6a3d9a",
    "collapsed": "#a4161a",
    "diverged": "#1c1c1c",
}
_OTHER_COLOUR = "#0f5c6e"  # of a label that a kind of its own brings
_WIDTH, _LEFT, _RIGHT = 900.0, 46.0, 12.0
_ROW = 56.0  # height of a row of marks
_APART = 9.0  # pixels between two marks beside or above each other
_PENTAGON = [(0.0, -5.0), (4.8, -1.5), (2.9, 4.0), (-2.9, 4.0), (-4.8, -1.5)]
_STEPS = (0.0, -1.0, 1.0, -2.0, 2.0)
_KINDS = {"seed": "other seeds", "batches": "other batches", "setting": "other settings"}


def forecast_over_time(forecast: Forecast) -> str:
    """Chart P(healthy) and stability, with 90 % whiskers, over the share of the length seen."""
    plot = _Plot(200, _reach(forecast))
    if forecast.diffusion is not None:
        plot.curve(forecast.diffusion)
    for side, colour, estimates in (
        (-3.0, BLUE, [p.p_healthy for p in forecast.over_time]),
        (3.0, ORANGE, [p.stability for p in forecast.over_time]),
    ):
        points = []
        for point, estimate in zip(forecast.over_time, estimates, strict=True):
            x, (low, high) = plot.x(point.seen) + side, estimate.interval(0.9)
            points.append((x, plot.y(estimate.mean)))
            plot.line([(x, plot.y(low)), (x, plot.y(high))], colour, 1.6, opacity=0.55)
        plot.line(points, colour, 1.6)
        for x, y in points:
            plot.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{colour}"/>')
    return plot.svg("forecast over the share of the length that was seen")


def rerun_strip(outcomes: Sequence[RerunOutcome], own: float | None) -> str:
    """Chart a mark for each rerun at its stability, one row a kind; the line is the run's own."""
    kinds = [kind for kind in _KINDS if any(o.kind == kind for o in outcomes)]
    height, left = _ROW * len(kinds) + 26, 120.0
    scale = _WIDTH - left - _RIGHT
    parts = []
    for i, kind in enumerate(kinds):
        middle = 4 + _ROW * (i + 0.5)
        parts.append(_text(left - 12, middle + 4, _KINDS[kind], "end"))
        parts.append(_segment(left, middle, left + scale, middle, LINE, 1))
        chosen = sorted((o for o in outcomes if o.kind == kind), key=lambda o: o.stability)
        levels = _levels([left + scale * o.stability for o in chosen])
        parts += [
            mark(o.label, left + scale * o.stability, middle + _APART * level)
            for o, level in zip(chosen, levels, strict=True)
        ]
    bottom = 4 + _ROW * len(kinds)
    if own is not None:
        x = left + scale * own
        parts.append(_segment(x, 2, x, bottom, INK, 1.2, "4 3"))
    parts += [
        _text(left + scale * share, bottom + 16, f"{share:g}", "middle")
        for share in (0, 0.25, 0.5, 0.75, 1)
    ]
    return _svg(height, parts, "stability of every rerun")


def mark(label: str, x: float, y: float) -> str:
    """Mark of a label: shape and colour both tell it."""
    colour = LABEL_COLOURS.get(label, _OTHER_COLOUR)
    if label == "healthy":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.4" fill="{colour}" fill-opacity=".8"/>'
    if label == "diverged":
        return _cross(x, y, colour)
    shapes: dict[str, list[tuple[float, float]]] = {
        "weak": [(0, -5), (5, 4), (-5, 4)],
        "oscillating": [(0, -5.4), (5.4, 0), (0, 5.4), (-5.4, 0)],
        "collapsed": [(-4, -4), (4, -4), (4, 4), (-4, 4)],
    }
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in shapes.get(label, _PENTAGON))
    return f'<polygon points="{points}" fill="{colour}" fill-opacity=".8"/>'


def sign(label: str) -> str:
    """Mark of a label on its own, for a legend."""
    return (
        '<svg viewBox="0 0 14 14" width="14" height="14" role="img" aria-hidden="true">'
        f"{mark(label, 7, 7)}</svg>"
    )


class _Plot:
    """Axes of shares: x from 0 to `reach`, y from 0 to 1."""

    def __init__(self, height: float, reach: float) -> None:
        self.height, self.reach = height, reach
        self.parts: list[str] = []
        for share in (0, 0.5, 1):
            y = self.y(share)
            self.parts.append(_segment(_LEFT, y, _WIDTH - _RIGHT, y, LINE, 1))
            self.parts.append(_text(_LEFT - 8, y + 4, f"{share:g}", "end"))
        for share in (0, 0.25, 0.5, 0.75, 1, 1.25):
            if share <= reach + 0.01:
                self.parts.append(_text(self.x(share), height - 6, f"{100 * share:g} %", "middle"))

    def x(self, share: float) -> float:
        return _LEFT + 8 + (_WIDTH - _LEFT - _RIGHT - 24) * share / self.reach

    def y(self, share: float) -> float:
        return 10 + (self.height - 40) * (1 - min(max(share, 0.0), 1.0))

    def add(self, part: str) -> None:
        self.parts.append(part)

    def line(
        self,
        points: Sequence[tuple[float, float]],
        colour: str,
        width: float,
        dashes: str = "",
        opacity: float = 1.0,
    ) -> None:
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.add(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
            f'stroke-opacity="{opacity:g}"{dashed}/>'
        )

    def curve(self, diffusion: Diffusion) -> None:
        """Draw the observed quality, the curve through it, and what the curve leads to."""
        for time, value in zip(diffusion.times, diffusion.observed, strict=True):
            x, y = self.x(float(time)), self.y(float(value))
            self.add(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{DIM}" fill-opacity=".45"/>')
        fitted = [
            (self.x(float(t)), self.y(float(v)))
            for t, v in zip(diffusion.times, diffusion.fitted, strict=True)
        ]
        end = self.x(diffusion.horizon)
        self.line(fitted, DIM, 1.4)
        self.line([*fitted[-1:], (end, self.y(diffusion.expected))], DIM, 1.4, "4 3")
        low, high = diffusion.interval
        self.line([(end, self.y(low)), (end, self.y(high))], DIM, 1.4)

    def svg(self, what: str) -> str:
        return _svg(self.height, self.parts, what)


def _reach(forecast: Forecast) -> float:
    horizon = 1.0 if forecast.diffusion is None else forecast.diffusion.horizon
    return min(max(1.0, horizon), 2.0)


def _levels(xs: Sequence[float]) -> list[float]:
    """Shift each mark up or down so that few lie on each other; xs ascend, shifts are in steps."""
    levels: list[float] = []
    for k, x in enumerate(xs):
        taken = [levels[j] for j in range(k) if x - xs[j] < _APART]
        free = [level for level in _STEPS if level not in taken]
        levels.append(free[0] if free else _STEPS[k % len(_STEPS)])
    return levels


def _cross(x: float, y: float, colour: str) -> str:
    return _segment(x - 4, y - 4, x + 4, y + 4, colour, 2) + _segment(
        x - 4, y + 4, x + 4, y - 4, colour, 2
    )


def _segment(
    x1: float, y1: float, x2: float, y2: float, colour: str, width: float, dashes: str = ""
) -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{width:g}"{dashed}/>'
    )


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="12" fill="{DIM}">'
        f"{text}</text>"
    )


def _svg(height: float, parts: Sequence[str], what: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH:g} {height:g}" role="img" aria-label="{what}">'
        f"{''.join(parts)}</svg>"
    )
