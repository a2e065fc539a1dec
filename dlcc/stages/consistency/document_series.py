"""Comparison of series that documents show, printed or drawn, with the series of the record."""

from __future__ import annotations

from dlcc.findings import Finding
from dlcc.records import Dossier, Series
from dlcc.records.shown_series import column_of, compare_shown
from dlcc.stages.consistency.ledger import Ledger

_MOST = 0.9  # share of points that agree, from which a series does


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
        column = column_of(series.columns, shown.series)
        if column is None:
            if shown.series:
                ledger.unknown(id_, "record", statement, f"the record has no {shown.series}")
            continue
        best = compare_shown(shown, column)
        if best is None:
            why = "its steps are not those of the record"
            ledger.unknown(id_, "record", statement, why)
            continue
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
