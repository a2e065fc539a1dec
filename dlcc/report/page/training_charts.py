"""Charts of a training: what was recorded step by step, and its health over time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from dlcc.charts.chart import (
    Chart,
    Line,
    Span,
    Style,
    Trace,
    named_apart,
    points,
    rows_a_point,
    thinned,
    wide_scale,
)
from dlcc.records import HealthRecord, Series
from dlcc.report.text import printable
from dlcc.runs.series import Column, by_quantity

_COLOURS = {"generator": "c1", "discriminator": "c2", "model": "c1"}
_FIRST = ("loss", "grad_norm")
_TITLES = {
    "loss": "Losses",
    "grad_norm": "Gradient norms",
    "real": "Outputs for real rows",
    "fake": "Outputs for generated rows",
    "update_norm": "Norms of updates",
    "weight_norm": "Norms of weights",
    "fid": "FID",
    "kid": "KID",
    "is": "Inception score",
    "elbo": "ELBO",
    "kl": "KL divergence",
    "ssim": "SSIM",
    "psnr": "PSNR",
}
_SHORT = frozenset(("fid", "kid", "is", "elbo", "kl", "ssim", "psnr"))
_MOST_CHARTS = 24

Onset = tuple[int | None, tuple[int, int] | None]
"""Step of an onset, and its interval."""


def series_charts(
    series: Series | None,
    onset: Onset,
    meanings: Mapping[str, str],
    unit: str,
    first: Sequence[str] = (),
) -> tuple[Chart, ...]:
    """Draw every recorded quantity, a chart each with a trace a player; losses come first.

    Args:
        series: Recorded series; None gives no charts.
        onset: Onset that is marked, and its interval; None for either where there is none.
        meanings: Quantity -> what it is, in words.
        unit: Unit of a step.
        first: Quantities that come even before the losses.
    """
    if series is None:
        return ()
    groups = by_quantity(series.columns, [*first, *_FIRST])
    return named_apart(
        [
            _quantity(quantity, columns, meanings.get(quantity, ""), onset, unit)
            for quantity, columns in [*groups.items()][:_MOST_CHARTS]
        ]
    )


def health_chart(
    health: HealthRecord | None, onset: int | None, best: int | None, unit: str
) -> Chart | None:
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
    lines, spans = onset_of((onset, health.onset_interval))
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


def title_of(quantity: str) -> str:
    """Heading for a quantity, such as `Losses`; its own name for one that is not known.

    >>> title_of("fid"), title_of("grad_norm"), title_of("my_metric")
    ('FID', 'Gradient norms', 'My metric')
    """
    plain = str(printable(quantity)).replace("_", " ")
    return _TITLES.get(quantity, plain.capitalize() or "Value")


def onset_of(onset: Onset) -> tuple[tuple[Line, ...], tuple[Span, ...]]:
    """Mark of the onset, and the stretch in which it lies."""
    at, interval = onset
    if at is None:
        return (), ()
    spans = () if interval is None else (Span(*map(float, interval)),)
    return (Line(float(at), "onset", colour="bad"),), spans


def _quantity(
    quantity: str,
    columns: Mapping[str, Column],
    meaning: str,
    onset: Onset,
    unit: str,
) -> Chart:
    quantity = str(printable(quantity))
    title = title_of(quantity)
    traces = tuple(_traces(columns, title))
    lines, spans = onset_of(onset)
    most = max(rows_a_point(len(column.steps)) for column in columns.values())
    words = f"{meaning[:1].upper()}{meaning[1:]}." if meaning else "As recorded."
    if most > 1:
        words += (
            f" A point stands for up to {most:,} rows: their median, and a band from the least "
            "to the largest."
        )
    label = title if quantity in _SHORT else quantity.replace("_", " ")
    return Chart(
        f"series-{_slug(quantity)}", title, words, unit, label,
        traces, lines, spans, y_scale=wide_scale(np.concatenate([t.y for t in traces])),
        of_steps=True,
    )  # fmt: skip


def _traces(columns: Mapping[str, Column], title: str) -> Iterator[Trace]:
    free = iter(c for c in ("c1", "c2", "c3", "c4", "c5", "c6") * 4)
    for player, column in sorted(columns.items(), key=lambda item: item[0] not in _COLOURS):
        name = title if player in ("", "metrics") else str(printable(player))
        colour = _COLOURS.get(player) or next(free, "c6")
        style: Style = "line" if len(column.steps) > 1 else "dots"
        yield thinned(name, column.steps, column.values, colour, style)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "value"
