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
    from dlcc.runs.series import by_quantity

    groups = by_quantity(columns, _FIRST)
    drawn = [svg(_chart(quantity, of)) for quantity, of in [*groups.items()][:_MOST_CHARTS]]
    left = ", ".join(escape(quantity) for quantity in [*groups][_MOST_CHARTS:])
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
