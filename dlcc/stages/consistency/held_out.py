"""Check of one quantity on two parts of the data, such as validation and test."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np

from dlcc.findings import Finding
from dlcc.records import Series
from dlcc.stages.consistency.ledger import Ledger

_PART = re.compile(r"(?<![a-z])(?:train(?:ing)?|val(?:id(?:ation)?)?|test)(?![a-z])")
_DISTINCT = 8  # values, under which two columns may be equal by rounding


def check_held_out(ledger: Ledger, series: Series) -> None:
    """Check that a quantity differs on two parts of the data.

    Parts hold other rows, so that a quantity on two of them cannot be equal all along.
    """
    for first, second in combinations(sorted(filter(_PART.search, series.columns)), 2):
        if _PART.sub("", first) != _PART.sub("", second):
            continue
        one, other = series.columns[first], series.columns[second]
        steps, at_one, at_other = np.intersect1d(one.steps, other.steps, return_indices=True)
        a, b = one.values[at_one], other.values[at_other]
        known = np.isfinite(a) & np.isfinite(b)
        if len(np.unique(a[known])) < _DISTINCT:
            continue
        id_ = f"record/parts/{first}"
        statement = f"{first} and {second}, of other rows of the data, differ in some row"
        if (a != b)[known].any():
            ledger.proved(id_, "record", statement, f"compared in {known.sum():,} rows")
            continue
        finding = Finding(
            "LOG009",
            f"{first} and {second} are equal in all {known.sum():,} rows.",
            player=first.partition("/")[0],
            first_step=int(steps[known][0]),
            last_step=int(steps[known][-1]),
            evidence={"distinct_values": len(np.unique(a[known]))},
        )
        ledger.refuted(id_, "record", statement, "compared row by row", finding)
