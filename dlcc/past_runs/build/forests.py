"""Forests that ship with a library, so that a forecast need not grow one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlcc.forecast.forest import OutcomeForest
from dlcc.past_runs.similarity import FEWEST_RUNS, Space
from dlcc.past_runs.store import FRACTIONS, Forest, Library, forest_name, read_library


def save_with_forests(library: Library, out: Path) -> Library:
    """Write a library to `out`, with the forests for records that lack nothing.

    They are grown on the figures as the file has them, which are rounded.

    Returns:
        The library as it is read from the file.

    Raises:
        LibraryError: It cannot be written.
    """
    replace(library, forests={}).save(out)
    rounded = read_library(out)
    if len(rounded.untampered) >= FEWEST_RUNS:
        rounded = replace(rounded, forests=_forests(rounded.untampered))
        rounded.save(out)
    return rounded


def _forests(past: Library) -> dict[str, Forest]:
    """Grow the forests of true records."""
    grown: dict[str, Forest] = {}
    for series_only in (False, True):
        for fraction in range(len(FRACTIONS)):
            points = Space(past, fraction, series_only).points
            forest = OutcomeForest.fit(points, past.labels, past.stability, len(past.label_names))
            grown[forest_name(fraction, series_only=series_only)] = forest.nodes
    return grown
