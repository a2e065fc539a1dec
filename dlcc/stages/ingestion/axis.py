"""Series on a common step axis, and their faults as series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from dlcc.findings import Finding
from dlcc.records import Column, Series
from dlcc.runs.series_format import MEASURED
from dlcc.typing import Floats


def common_axis(
    series: Series,
) -> tuple[NDArray[np.int64], tuple[str, ...], Floats, NDArray[np.bool_]]:
    """Put series on a common axis: steps [n], names [k], values [n, k], and marks [n, k] of the
    values that were logged."""
    names = tuple(series.columns)
    steps = np.unique(np.concatenate([c.steps for c in series.columns.values()]))
    values = np.full((len(steps), len(names)), np.nan)
    present = np.zeros(values.shape, dtype=bool)
    for k, column in enumerate(series.columns.values()):
        rows = np.searchsorted(steps, column.steps)
        values[rows, k] = column.values
        present[rows, k] = True
    return steps, names, values, present


def series_findings(series: Series, gap_factor: float) -> list[Finding]:
    """Make findings for gaps, stretches of NaN, restarts, rewinds and a torn tail."""
    logged = _logged(series)
    found = [*_gaps(logged, gap_factor), *_not_finite(logged)]
    found += [
        Finding("REC003", f"A new recording session began at step {step:,}.", first_step=step)
        for step in series.restarts
    ]
    found += [
        Finding(
            "REC004",
            f"The training went back from step {start:,} to {end:,}; the later rows stand.",
            first_step=end,
            last_step=start,
        )
        for start, end in series.rewinds
    ]
    if series.torn:
        last = max(int(c.steps[-1]) for c in series.columns.values())
        message = f"The last block was cut while it was written; the record ends at step {last:,}."
        found.append(Finding("REC005", message, first_step=last))
    return found


def _logged(series: Series) -> Mapping[str, Column]:
    """Select the columns that the training logs itself.

    Measures are left out: they come where the budget allows them, and noise scales may be infinite.
    """
    return {
        name: column
        for name, column in series.columns.items()
        if name.partition("/")[2] not in MEASURED
    }


def _gaps(columns: Mapping[str, Column], factor: float) -> Iterator[Finding]:
    """Make one finding for each distinct gap: columns that were logged together share theirs."""
    seen: dict[tuple[int, int], list[str]] = {}
    for name, column in columns.items():
        distances = np.diff(column.steps)
        if len(distances) < 8:
            continue
        for i in np.flatnonzero(distances > factor * np.median(distances)):
            stretch = int(column.steps[i]), int(column.steps[i + 1])
            seen.setdefault(stretch, []).append(name)
    for (last, first), names in sorted(seen.items()):
        yield Finding(
            "REC001",
            f"No rows between step {last:,} and {first:,} for {_some(names)}.",
            first_step=last,
            last_step=first,
            evidence={"missing_steps": first - last - 1},
        )


def _not_finite(columns: Mapping[str, Column]) -> Iterator[Finding]:
    for name, column in columns.items():
        bad = np.flatnonzero(~np.isfinite(column.values))
        if not len(bad):
            continue
        first, last = int(column.steps[bad[0]]), int(column.steps[bad[-1]])
        yield Finding(
            "REC002",
            f"{name} is not finite in {len(bad):,} of {len(column.steps):,} rows, first "
            f"{column.values[bad[0]]} at step {first:,}.",
            player=name.partition("/")[0],
            first_step=first,
            last_step=last,
            evidence={"rows": len(bad), "longest_run": _longest_run(column)},
        )


def _longest_run(column: Column) -> int:
    """Length of the longest unbroken stretch of rows that are not finite."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], ~np.isfinite(column.values), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} more series"
