"""Forests that ship with a library, so that a forecast need not grow one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlcc.forecast.forest import TREES, OutcomeForest
from dlcc.health.curves import IN_FEATURES
from dlcc.past_runs.forest_files import Forest
from dlcc.past_runs.patterns import SPACE, figures_of, patterns
from dlcc.past_runs.similarity import FEWEST_RUNS, Space
from dlcc.past_runs.store import FRACTIONS, Library, forest_name, read_library

TREES_OF_PARTS = 36
"""Number of trees of the forests for records that lack something: 5 MB is all that may ship."""


def save_with_forests(library: Library, out: Path) -> Library:
    """Write a library to `out`, with the forests for records of all patterns.

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
    """Grow the forests of true records, for every pattern of what a record may lack."""
    grown: dict[str, Forest] = {}
    past, alike = past.as_given, past.in_features
    for series_only in (False, True):
        for fraction in range(len(FRACTIONS)):
            every = Space(past, fraction, series_only)
            for lacking in patterns(series_only=series_only):
                only = figures_of(lacking, every.names) if lacking else None
                points = Space(past, fraction, series_only, only).points
                forest = OutcomeForest.fit(
                    points,
                    past.labels,
                    past.stability,
                    len(past.label_names),
                    TREES_OF_PARTS if lacking else TREES,
                )
                name = forest_name(fraction, series_only=series_only, lacking=lacking)
                grown[name] = forest.nodes
    for fraction in range(len(FRACTIONS)) if len(alike) >= FEWEST_RUNS else ():
        points = Space(alike, fraction, series_only=False, only=IN_FEATURES).points
        forest = OutcomeForest.fit(points, alike.labels, alike.stability, len(alike.label_names))
        grown[forest_name(fraction, series_only=False, lacking=SPACE)] = forest.nodes
    return grown
