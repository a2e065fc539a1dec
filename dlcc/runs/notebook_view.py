"""View of series in a notebook: charts of the quantities that come first."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from dlcc.charts.chart import Chart, thinned, wide_scale
from dlcc.charts.svg import svg

if TYPE_CHECKING:
    from dlcc.runs.series import Column

_FIRST = ("loss", "fid", "kid", "grad_norm")
_MOST_CHARTS = 4
_MOST_TRACES = 6


def series_html(columns: Mapping[str, Column]) -> str:
    """Draw up to four quantities of a run, losses first, a trace a player.

    Args:
        columns: Series by `player/quantity`.

    Returns:
        HTML with the charts as SVG, and the names of what is not shown.

    >>> from dlcc.runs import Run
    >>> series_html(Run.open("runs/digits-healthy").series().columns).count("<svg xmlns")
    4
    """
    groups: dict[str, dict[str, Column]] = {}
    for name, column in columns.items():
        player, _, quantity = name.rpartition("/")
        if len(column.steps) and np.isfinite(column.values).any():
            groups.setdefault(quantity, {})[player] = column
    ordered = sorted(groups, key=lambda q: (_FIRST.index(q) if q in _FIRST else len(_FIRST), q))
    drawn = [svg(_chart(quantity, groups[quantity])) for quantity in ordered[:_MOST_CHARTS]]
    left = ", ".join(escape(quantity) for quantity in ordered[_MOST_CHARTS:])
    return "".join(drawn) + (f"<p>also: {left}</p>" if left else "")


def _chart(quantity: str, columns: Mapping[str, Column]) -> Chart:
    traces = tuple(
        thinned(player or quantity, column.steps, column.values, f"c{k}")
        for k, (player, column) in enumerate(list(columns.items())[:_MOST_TRACES], 1)
    )
    values = np.concatenate([trace.y for trace in traces])
    return Chart(
        quantity, quantity.replace("_", " "), "", "step", "", traces, y_scale=wide_scale(values)
    )
