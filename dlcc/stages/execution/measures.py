"""Check of what `Recorder.measure` wrote: no replay can make it again, but its numbers bound each
other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from dlcc.records import Series
from dlcc.runs.series_format import MEASURED_OF_A_PLAYER, OVERHEAD
from dlcc.typing import Floats

_ROUNDING = 1e-3  # relative; they are worked out in float64 from float32 gradients


def possible_measures(series: Series, players: Iterable[str]) -> set[str]:
    """Find the measures whose every value is possible beside the others of its row.

    Their names are those of docs/run-format.md ("Measures").
    """
    possible = {OVERHEAD} if _none_below_zero(series, OVERHEAD) else set()
    for player in players:
        names = {name: f"{player}/{name}" for name in MEASURED_OF_A_PLAYER}
        sizes = [name for quantity, name in names.items() if quantity != "instability"]
        if all(_none_below_zero(series, name) for name in sizes) and _fit(series, names.values()):
            possible |= set(names.values())
    return possible & set(series.columns)


def _none_below_zero(series: Series, name: str) -> bool:
    column = series.columns.get(name)
    return column is None or not (column.values < 0).any()


def _fit(series: Series, names: Iterable[str]) -> bool:
    """Whether the rows' mean square q lies between (mean norm)² and mean norm · largest norm.

    With n rows, G their mean gradient and t the trace, q = |G|² + t (n − 1)/n, and the scale is
    s = t / (|G|² − t/n), so that q = t + t/s; an infinite s says that q is at most t.
    """
    mean_name, max_name, trace_name, scale_name, *_ = names
    mean, largest = _beside(series, mean_name, max_name)
    if (mean > largest * (1 + _ROUNDING)).any():
        return False
    mean, largest, trace, scale = _beside(series, mean_name, max_name, trace_name, scale_name)
    with np.errstate(all="ignore"):
        square = trace + trace / scale  # NaN where both are 0, which says nothing
        low = mean**2 > square * (1 + _ROUNDING)
        high = (square > mean * largest * (1 + _ROUNDING)) & np.isfinite(scale)
    return not (low | high).any()


def _beside(series: Series, *names: str) -> list[Floats]:
    """Select the values of quantities at the steps that have all of them."""
    columns = [series.columns.get(name) for name in names]
    if any(column is None for column in columns):
        return [np.zeros(0)] * len(names)
    there = [column for column in columns if column is not None]
    steps = there[0].steps
    for column in there[1:]:
        steps = np.intersect1d(steps, column.steps)
    return [column.values[np.isin(column.steps, steps)] for column in there]
