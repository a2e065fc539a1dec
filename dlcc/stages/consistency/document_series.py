"""Comparison of series that documents show, printed or drawn, with the series of the record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcc.findings import Finding
from dlcc.records import Column, DocumentSeries, Dossier, Series
from dlcc.stages.consistency.ledger import Ledger
from dlcc.typing import Floats

_MOST = 0.9  # share of points that agree, from which a series does
_FEWEST = 3
_ROUNDING = 1e-6
_PEN = 3.0  # pixels that a curve may reach beyond its ends


@dataclass(frozen=True)
class _Compared:
    """Outcome of one way to put a document's points onto the record's steps."""

    share: float
    """Share of points that agree."""
    within: float
    """Share of points that lie within what the record has around them."""
    words: str
    """Place where it differs first, in words."""
    first: int
    """Step of that point."""


def check_document_series(ledger: Ledger, series: Series, dossier: Dossier) -> None:
    """Check each series that a document shows against the one of the record.

    It holds where nine of ten points agree within their last digit, or within the error of reading
    a curve, at their step or as means since the point before. It is refuted where points lie
    outside of all that the record has around them; what lies between may be smoothed, and is
    unknown.
    """
    numbers: dict[str, int] = {}
    for shown in dossier.series:
        place = f"{shown.file}:{shown.line}"
        numbers[place] = numbers.get(place, 0) + 1
        id_ = f"shown/{place}#{numbers[place]}"
        how = "drawn" if shown.drawn else "printed"
        statement = f"the {shown.name!r} that is {how} at {place} is the record's {shown.series}"
        column = _column(series, shown.series)
        if column is None:
            if shown.series:
                ledger.unknown(id_, "record", statement, f"the record has no {shown.series}")
            continue
        tried = [_compared(shown, column, steps) for steps in _placed(shown, column)]
        if not tried:
            why = "its steps are not those of the record"
            ledger.unknown(id_, "record", statement, why)
            continue
        best = max(tried, key=lambda compared: (compared.share, compared.within))
        if best.share >= _MOST:
            ledger.held(id_, "record", statement, f"{best.share:.0%} of {len(shown.steps)} points")
        elif best.within >= _MOST:
            why = f"{best.share:.0%} of its points agree; the others may be means over steps"
            ledger.unknown(id_, "record", statement, why)
        else:
            message = f"{shown.file} shows {shown.series} {best.words}."
            finding = Finding(
                "LOG017",
                message,
                player=shown.series.partition("/")[0],
                first_step=best.first,
                place=place,
            )
            ledger.refuted(id_, "record", statement, "compared with the series", finding)


def _column(series: Series, name: str) -> Column | None:
    if name in series.columns:
        return series.columns[name]
    ending = f"/{name.partition('/')[2]}"
    alike = [column for other, column in series.columns.items() if other.endswith(ending)]
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


def _compared(shown: DocumentSeries, column: Column, steps: Floats) -> _Compared:
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
    return _Compared(float(share), float(within.mean()), words, round(float(steps[k])))


def _at(steps: Floats, column: Column) -> Floats:
    """Values of the record at steps, from the nearest row before and the next."""
    finite = np.isfinite(column.values)
    if not finite.any():
        return np.full(len(steps), np.nan)
    rows = column.steps[finite].astype(np.float64)
    return np.interp(steps, rows, column.values[finite])
