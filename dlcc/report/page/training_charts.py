"""Charts of a training: what was recorded step by step, and its health over time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike

from dlcc.records import HealthRecord, Series
from dlcc.report.page.chart import (
    Chart,
    Line,
    Span,
    Style,
    Trace,
    points,
    rows_a_point,
    thinned,
    wide_scale,
)
from dlcc.report.text import printable
from dlcc.runs.series import Column

_COLOURS = {"generator": "c1", "discriminator": "c2", "model": "c1"}
_FIRST = ("loss", "grad_norm")
_TITLES = {
    "loss": "Losses",
    "grad_norm": "Gradient norms",
    "real": "Outputs for real rows",
    "fake": "Outputs for generated rows",
    "update_norm": "Norms of updates",
    "weight_norm": "Norms of weights",
}
_MOST_CHARTS = 24


def series_charts(
    series: Series | None, health: HealthRecord | None, meanings: Mapping[str, str], unit: str
) -> tuple[Chart, ...]:
    """Draw every recorded quantity, a chart each with a trace a player; losses come first.

    Args:
        series: Recorded series; None gives no charts.
        health: Health of the run, whose onset is marked; None without.
        meanings: Quantity -> what it is, in words.
        unit: Unit of a step.
    """
    if series is None:
        return ()
    groups: dict[str, dict[str, Column]] = {}
    for name, column in series.columns.items():
        player, _, quantity = name.rpartition("/")
        if len(column.steps) and np.isfinite(column.values).any():
            groups.setdefault(quantity, {})[player] = column
    ordered = sorted(groups, key=lambda q: (_FIRST.index(q) if q in _FIRST else len(_FIRST), q))
    return tuple(
        _quantity(quantity, groups[quantity], meanings.get(quantity, ""), health, unit)
        for quantity in ordered[:_MOST_CHARTS]
    )


def health_chart(health: HealthRecord | None, best: int | None, unit: str) -> Chart | None:
    """Draw what the samples, or the series, say of the run at each sample step."""
    if health is None or not len(health.checkpoints):
        return None
    steps = np.asarray(health.checkpoints, dtype=np.float64)
    shown: tuple[tuple[str, ArrayLike, str, Style], ...] = (
        ("probability that samples are good", health.good, "c1", "line"),
        ("coverage of the real data", health.coverage, "c2", "dashed"),
        ("samples among the real data", health.quality, "c3", "dashed"),
    )
    traces = [
        Trace(name, *points(steps, values), colour=colour, style=style)
        for name, values, colour, style in shown
        if np.isfinite(np.asarray(values, dtype=np.float64)).any()
    ]
    if not traces:
        return None
    lines, spans = onset_of(health)
    if best is not None:
        lines = (*lines, Line(best, "best", colour="good"))
    highest = max(1.0, *(float(np.nanmax(t.y)) for t in traces))
    caption = "What the samples say at each sample step, held against the real data."
    if np.isnan(health.coverage).all():
        caption = "What the series say of the stretch up to each step."
    return Chart(
        "health", "Health over time", caption, unit, "share",
        tuple(traces), lines, spans, y_limits=(-0.03, highest + 0.03), of_steps=True,
    )  # fmt: skip


def onset_of(health: HealthRecord | None) -> tuple[tuple[Line, ...], tuple[Span, ...]]:
    """Mark of the onset, and the stretch in which it lies."""
    if health is None or health.onset is None:
        return (), ()
    spans = () if health.onset_interval is None else (Span(*map(float, health.onset_interval)),)
    return (Line(float(health.onset), "onset", colour="bad"),), spans


def _quantity(
    quantity: str,
    columns: Mapping[str, Column],
    meaning: str,
    health: HealthRecord | None,
    unit: str,
) -> Chart:
    quantity = str(printable(quantity))
    traces = tuple(_traces(columns))
    lines, spans = onset_of(health)
    most = max(rows_a_point(len(column.steps)) for column in columns.values())
    words = f"{meaning[:1].upper()}{meaning[1:]}." if meaning else "As recorded."
    if most > 1:
        words += (
            f" A point stands for up to {most:,} rows: their median, and a band from the least "
            "to the largest."
        )
    title = _TITLES.get(quantity, quantity.replace("_", " ").capitalize() or "Value")
    return Chart(
        f"series-{_slug(quantity)}", title, words, unit, quantity.replace("_", " "),
        traces, lines, spans, y_scale=wide_scale(np.concatenate([t.y for t in traces])),
        of_steps=True,
    )  # fmt: skip


def _traces(columns: Mapping[str, Column]) -> Iterator[Trace]:
    free = iter(c for c in ("c1", "c2", "c3", "c4", "c5", "c6") * 4)
    for player, column in sorted(columns.items(), key=lambda item: item[0] not in _COLOURS):
        name = str(printable(player)) or "value"
        colour = _COLOURS.get(player) or next(free, "c6")
        style: Style = "line" if len(column.steps) > 1 else "dots"
        yield thinned(name, column.steps, column.values, colour, style)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "value"
