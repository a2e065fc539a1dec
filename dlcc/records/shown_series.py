"""Comparison of a series that a document shows, printed or drawn, with a series of the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlcc.records.dossier import DocumentSeries
from dlcc.runs.series import Column
from dlcc.typing import Floats

_FEWEST = 3
_ROUNDING = 1e-6
_PEN = 3.0  # pixels that a curve may reach beyond its ends


@dataclass(frozen=True)
class ShownSeries:
    """Outcome of one way to put a document's points onto the record's steps."""

    share: float
    """Share of points that agree."""
    within: float
    """Share of points that lie within what the record has around them."""
    words: str
    """Place where it differs first, in words."""
    first: int
    """Step of that point."""


def compare_shown(shown: DocumentSeries, column: Column) -> ShownSeries | None:
    """Compare a series that a document shows with one of the record, at their step or as means
    since the point before.

    Args:
        shown: Series of the document.
        column: Series of the record.

    Returns:
        The best of the ways in which its steps can be those of the record; None where none can.

    >>> import numpy as np
    >>> column = Column.at_every_step(np.array([5.0, 4.0, 3.0, 2.0, 1.0]))
    >>> printed = DocumentSeries(
    ...     "a.ipynb", 3, "loss", "model/loss", "step", (0, 2, 4), (5, 3, 1), 0.5
    ... )
    >>> compare_shown(printed, column).share
    1.0
    """
    tried = [_compared(shown, column, steps) for steps in _placed(shown, column)]
    return max(tried, key=lambda compared: (compared.share, compared.within), default=None)


def column_of(columns: Mapping[str, Column], name: str) -> Column | None:
    """Find the series of a name; `model/loss` is also the only one that ends so.

    Args:
        columns: Series by name.
        name: Name that a document's series is taken for.

    Returns:
        The series; None where the record has none, or several that end so.
    """
    if name in columns:
        return columns[name]
    ending = f"/{name.partition('/')[2]}"
    alike = [column for other, column in columns.items() if other.endswith(ending)]
    return alike[0] if name.startswith("model/") and len(alike) == 1 else None


def _placed(shown: DocumentSeries, column: Column) -> list[Floats]:
    """List the ways to place a document's points on the record's steps.

    Steps that count from 1 are tried as such. Epochs and rows are the record's rows where there are
    as many of them, or spread over its steps evenly.
    """
    steps = np.array(shown.steps)
    first, last = float(column.steps[0]), float(column.steps[-1])
    if len(steps) < _FEWEST:
        return []
    beyond = 1.0
    if shown.drawn:  # a line is as wide as its pen
        beyond += _PEN * float(np.median(np.diff(steps)))
    found = [
        moved
        for moved in (steps, steps - 1)
        if shown.unit not in ("epoch", "row")
        and first - beyond <= moved[0]
        and moved[-1] <= last + beyond
    ]
    if shown.unit in ("epoch", "row", ""):
        if len(steps) == len(column.steps):
            found.append(column.steps.astype(np.float64))
        if np.isin(steps, column.steps).all() and len(np.unique(np.diff(column.steps))) == 1:
            found.append(steps)
        count = steps[-1] if shown.unit == "epoch" else 0.0
        if count > 0 and abs((last + 1) / count - round((last + 1) / count)) < 1e-9:
            found.append(steps * (last + 1) / count - 1)
    return found


def _compared(shown: DocumentSeries, column: Column, steps: Floats) -> ShownSeries:
    """Compare values at steps, and as means since the step before, with the record."""
    values, known = np.array(shown.values), column.values
    at = np.clip(np.searchsorted(column.steps, steps + 0.5), 1, len(known))
    stride = np.median(np.diff(at)) if len(at) > 1 else 1
    before = np.concatenate([[max(0, at[0] - int(stride))], at[:-1]])
    points = _at(steps, column)
    slack = shown.tolerance * 1.001 + _ROUNDING * np.abs(values)
    means, lows, highs = np.empty(len(at)), np.empty(len(at)), np.empty(len(at))
    for k, (a, b) in enumerate(zip(before, at, strict=True)):
        beyond = 1 if shown.drawn else 0
        part = known[max(0, min(a, b - 1) - beyond) : b + beyond]
        part = part[np.isfinite(part)]
        empty = not len(part)
        means[k] = np.nan if empty else part.mean()
        lows[k], highs[k] = (-np.inf, np.inf) if empty else (part.min(), part.max())
    with np.errstate(invalid="ignore"):
        close = np.abs(values - points) <= slack
        averaged = np.abs(values - means) <= slack
    within = (values >= lows - slack) & (values <= highs + slack)
    # a curve covers all that the record has within the width of a pixel
    share = within.mean() if shown.drawn else max(close.mean(), averaged.mean())
    outside = np.flatnonzero(~within)
    k = int(outside[0]) if len(outside) else 0
    words = f"as {values[k]:.6g} at {steps[k]:,.0f}; the record has {points[k]:.6g} there"
    return ShownSeries(float(share), float(within.mean()), words, round(float(steps[k])))


def _at(steps: Floats, column: Column) -> Floats:
    """Values of the record at steps, from the nearest row before and the next."""
    finite = np.isfinite(column.values)
    if not finite.any():
        return np.full(len(steps), np.nan)
    rows = column.steps[finite].astype(np.float64)
    return np.interp(steps, rows, column.values[finite])
