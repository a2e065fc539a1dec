"""Chart as one SVG picture, for places that have no page around it, such as notebooks."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from dlcc.charts.chart import Chart
from dlcc.charts.geometry import HEIGHT, WIDTH, geometry

_COLOURS = {
    "c1": "#0b7fab", "c2": "#c2571a", "c3": "#1b8a5a", "c4": "#8a63d2", "c5": "#b5487f",
    "c6": "#8a7a1a", "bad": "#d0433a", "good": "#1b8a5a",
}  # fmt: skip
_INK = "currentColor"
_LEFT, _TOP, _BELOW = 64, 26, 44
_STYLES = {
    "line": 'fill="none" stroke-width="1.5"',
    "dashed": 'fill="none" stroke-width="1.5" stroke-dasharray="5 4"',
    "dots": 'fill="none" stroke-width="3" stroke-linecap="round"',
    "rule": 'fill="none" stroke-width="1" stroke-dasharray="2 3"',
    "band": 'stroke="none" opacity=".22"',
    "span": 'stroke="none" opacity=".12"',
}


def svg(chart: Chart, width: int = 640, height: int = 220) -> str:
    """Draw a chart as an SVG element, in the ink of the text around it.

    Args:
        chart: Chart to draw.
        width: Width in pixels.
        height: Height in pixels.

    Returns:
        SVG in which every text is escaped.

    >>> from dlcc.charts.chart import Trace, points
    >>> lone = Trace("<loss>", *points([0, 1], [0.5, 0.25]))
    >>> text = svg(Chart("k", "Losses", "", "step", "loss", (lone,)))
    >>> text.startswith("<svg"), "&lt;loss&gt;" in text, "<loss>" in text
    (True, True, False)
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'style="width:100%;max-width:{width}px;font:12px sans-serif" '
        f'aria-label="{escape(chart.title)}">{"".join(_parts(chart, width, height))}</svg>'
    )


def _parts(chart: Chart, width: int, height: int) -> Iterator[str]:
    drawn = geometry(chart)
    across, down = width - _LEFT - 16, height - _TOP - _BELOW
    yield _text(0, 14, chart.title, "start", bold=True)
    for tick in drawn.y_ticks:
        y = _TOP + down * tick.at / 100
        yield (
            f'<path d="M{_LEFT} {y:.1f}h{across}" stroke="{_INK}" stroke-opacity=".15"/>'
            + _text(_LEFT - 6, y + 4, tick.text, "end")
        )
    yield (
        f'<svg x="{_LEFT}" y="{_TOP}" width="{across}" height="{down}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">'
    )
    for path in drawn.paths:
        colour = _COLOURS.get(path.colour, _INK)
        side = "fill" if path.style in ("band", "span") else "stroke"
        yield (
            f'<path d="{path.d}" {side}="{colour}" {_STYLES[path.style]} '
            'vector-effect="non-scaling-stroke"/>'
        )
    yield "</svg>"
    for tick in drawn.x_ticks:
        yield _text(_LEFT + across * tick.at / 100, _TOP + down + 14, tick.text, "middle")
    place = float(_LEFT)
    for trace in chart.traces:
        colour = _COLOURS.get(trace.colour, _INK)
        yield f'<rect x="{place:.0f}" y="{height - 12}" width="14" height="4" fill="{colour}"/>'
        yield _text(place + 20, height - 6, trace.name, "start")
        place += 40 + 7 * len(trace.name)
    yield _text(width - 16, height - 6, chart.x_label, "end")


def _text(x: float, y: float, text: str, anchor: str, *, bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_INK}"{weight}>'
        f"{escape(text)}</text>"
    )
