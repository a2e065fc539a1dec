"""Payload: a chart as JSON for the page's script."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from dlcc.charts.chart import Chart, linear_below
from dlcc.typing import Floats

_DIGITS = 5


def payload(chart: Chart) -> str:
    """Write a chart as JSON that can stand in a script element of a page.

    Numbers have 5 significant digits, steps all of theirs. No text can end the element.

    >>> from dlcc.charts.chart import Trace, points
    >>> lone = Trace("</script>", *points([0, 1], [0.5, 0.25]))
    >>> text = payload(Chart("k", "Title", "Caption.", "step", "loss", (lone,)))
    >>> "</script>" in text, json.loads(text)["traces"][0]["name"]
    (False, '</script>')
    """
    heights = [value for trace in chart.traces for value in trace.y]
    plain = {
        "key": chart.key,
        "title": chart.title,
        "x": {
            "label": chart.x_label,
            "scale": chart.x_scale,
            "names": _names(chart.x_names),
            "limits": chart.x_limits,
        },
        "y": {
            "label": chart.y_label,
            "scale": chart.y_scale,
            "names": _names(chart.y_names),
            "limits": chart.y_limits,
            "linear": linear_below(heights),
        },
        "steps": chart.of_steps,
        "traces": [
            {
                "name": trace.name,
                "colour": trace.colour,
                "style": trace.style,
                "marker": trace.marker,
                "x": _places(trace.x),
                "y": _numbers(trace.y),
                "low": None if trace.low is None else _numbers(trace.low),
                "high": None if trace.high is None else _numbers(trace.high),
            }
            for trace in chart.traces
        ],
        "lines": [
            {"at": line.at, "name": line.name, "axis": line.axis, "colour": line.colour}
            for line in chart.lines
        ],
        "spans": [[span.low, span.high] for span in chart.spans],
    }
    return script_json(plain)


def script_json(value: Any) -> str:
    """Write plain values as JSON within which no HTML can begin."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _names(names: Any) -> list[list[Any]]:
    return [[place, text] for place, text in names.items()]


def _places(values: Floats) -> list[float | int | None]:
    return [int(v) if math.isfinite(v) and v == int(v) else _short(v) for v in map(float, values)]


def _numbers(values: Iterable[float]) -> list[float | int | None]:
    return [_short(float(v)) for v in values]


def _short(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short == int(short) and abs(short) < 2**53 else short
