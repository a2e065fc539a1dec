"""Forests that ship with a library, so that a forecast need not grow one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlcc.forecast.forest import TREES, OutcomeForest
from dlcc.health.curves import IN_FEATURES
from dlcc.past_runs.forest_files import Forest
from dlcc.past_runs.patterns import CONFIGURATION, CONFIGURED, SPACE, figures_of, patterns
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


def _forests(every: Library) -> dict[str, Forest]:
    """Grow the forests of true records, for every pattern of what a record may lack."""
    grown: dict[str, Forest] = {}
    past, alike = every.as_given, every.in_features
    for series_only in (False, True):
        for fraction in range(len(FRACTIONS)):
            whole = Space(past, fraction, series_only)
            for lacking in patterns(series_only=series_only):
                only = figures_of(lacking, whole.names) if lacking else None
                name = forest_name(fraction, series_only=series_only, lacking=lacking)
                trees = TREES_OF_PARTS if lacking else TREES
                grown[name] = _grown(Space(past, fraction, series_only, only), trees)
    if len(alike) < FEWEST_RUNS:
        return grown
    for fraction in range(len(FRACTIONS)):
        name = forest_name(fraction, series_only=False, lacking=SPACE)
        grown[name] = _grown(Space(alike, fraction, series_only=False, only=IN_FEATURES), TREES)
    configured = Space(every, 0, series_only=True, only=CONFIGURED)
    return grown | {CONFIGURATION: _grown(configured, TREES_OF_PARTS)}


def _grown(space: Space, trees: int) -> Forest:
    """Grow a forest on the runs of a space."""
    past = space.library
    return OutcomeForest.fit(
        space.points, past.labels, past.stability, len(past.label_names), trees
    ).nodes
