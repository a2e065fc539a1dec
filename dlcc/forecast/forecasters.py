"""Forecasters of one library: which past runs, and which figures, count for a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dlcc.forecast.forecaster import Forecaster
from dlcc.forecast.forest import OutcomeForest
from dlcc.forecast.own_runs import kept_recalibration, labelled
from dlcc.forecast.pooled import PooledForecaster
from dlcc.forecast.recalibration import Recalibration
from dlcc.health.curves import IN_FEATURES
from dlcc.past_runs.patterns import CONFIGURED, figures_of, patterns
from dlcc.past_runs.similarity import FEWEST_RUNS, Space
from dlcc.past_runs.store import FRACTIONS, Library, nearest_fraction
from dlcc.typing import Floats

_TREES_OF_FOLDS = 36
_ALIKE = 0.5  # share of the past runs whose samples were compared in a space of features
_SILENT_FROM = 0.5  # share of the length from which on the configuration tells nothing more

_NAMED = ("loss", "optimizer")  # settings whose value is a name

_Key = tuple[int, bool, tuple[str, ...] | None]
Shares = Sequence[tuple[Space, float]]
"""Spaces that a run is forecast in, with the share of each in the forecast; shares sum to 1."""


class Forecasters:
    """Forecasters of one library, each fitted when it is first asked for."""

    def __init__(self, library: Library, *, network: bool = False) -> None:
        self._library, self._network = library, network
        self._fitted: dict[_Key, Forecaster] = {}
        self._recalibrations: dict[tuple[_Key, ...], Recalibration | None] = {}

    def at(
        self,
        seen: float,
        vector: Mapping[str, float],
        config: Mapping[str, Any],
        *,
        series_only: bool,
    ) -> Forecaster | PooledForecaster:
        """Forecaster for a run that is as far as `seen`, as by `Forecaster.fit`.

        Where its samples are compared in a space of features, past runs whose samples were so count
        for a half, by these figures. The other half is what the configuration says of all past
        runs, the less the farther the run is, and the other past runs: how a run looks tells late,
        and the less of data that no past run had.
        """
        past, fraction = self._library.untampered, nearest_fraction(seen)
        every = Space(past.as_given, fraction, series_only)
        general = richest(every, every.within(vector, config))
        alike = past.in_features
        if series_only or len(alike) < FEWEST_RUNS or any(n not in vector for n in IN_FEATURES):
            known = self._recalibration(past, [(general, 1.0)])
            return replace(self._of(general), seen=seen, recalibration=known)
        near = Space(alike, fraction, False, IN_FEATURES)
        configured = configured_space(past, fraction, config)
        shared = pooled_shares(near, general, configured, seen)
        at_fraction = pooled_shares(near, general, configured, FRACTIONS[fraction])
        return PooledForecaster(
            tuple(replace(self._of(space), seen=seen) for space, _ in shared),
            tuple(share for _, share in shared),
            self._recalibration(past, at_fraction),
        )

    def _of(self, space: Space) -> Forecaster:
        """Forecaster of a space, fitted once."""
        key = _key(space)
        if key not in self._fitted:
            self._fitted[key] = Forecaster.of(space, network=self._network)
        return self._fitted[key]

    def _recalibration(self, past: Library, shared: Shares) -> Recalibration | None:
        """Recalibration of forecasts in these spaces by the user's own runs, fitted once."""
        key = tuple(_key(space) for space, _ in shared)
        if key not in self._recalibrations:
            own = labelled(past, [space for space, _ in shared])
            self._recalibrations[key] = kept_recalibration(
                past,
                own,
                str(key),
                lambda rest, asked: _mean_of_spaces(rest, asked, shared),
            )
        return self._recalibrations[key]


def pooled_shares(near: Space, general: Space, configured: Space | None, seen: float) -> Shares:
    """Share out a forecast at `seen` of the length: half of it to the runs that are most alike, and
    of the rest to the configuration what falls to nothing at half of the length.

    >>> from dlcc.past_runs.in_use import shipped_library
    >>> space = Space(shipped_library(), 0, series_only=True)
    >>> [share for _, share in pooled_shares(space, space, space, 0.1)]
    [0.5, 0.4, 0.1]
    >>> [share for _, share in pooled_shares(space, space, space, 0.7)]
    [0.5, 0.5]
    """
    told = 0.0 if configured is None else max(0.0, 1 - seen / _SILENT_FROM)
    shared = [(near, _ALIKE), (general, (1 - _ALIKE) * (1 - told))]
    if configured is not None:
        shared.insert(1, (configured, (1 - _ALIKE) * told))
    return [(space, round(share, 6)) for space, share in shared if share > 0]


def configured_space(past: Library, fraction: int, config: Mapping[str, Any]) -> Space | None:
    """Space of what any GAN's configuration says, over past runs of all sorts; None for a
    configuration that lacks some of it, or has what no past run had."""
    space = Space(past, fraction, series_only=True, only=CONFIGURED)
    if space.within({}, config) is not space:
        return None
    named = {(key, known.get(key)) for known in past.configs for key in _NAMED}
    return space if all((key, config.get(key)) in named for key in _NAMED) else None


def _key(space: Space) -> _Key:
    return space.fraction, space.series_only, space.only


def _sort(library: Library, space: Space) -> Library:
    """Past runs of the sort that a space is of."""
    if space.only == CONFIGURED:
        return library
    return library.in_features if space.only == IN_FEATURES else library.as_given


def _mean_of_spaces(rest: Library, asked: Library, shared: Shares) -> Floats:
    """P(healthy) [n] of runs by the past runs `rest`, averaged over the sorts of past runs that the
    spaces are of; of few trees, since folds of the runs are forecast so."""
    mean = np.zeros(len(asked))
    for space, share in shared:
        sort = _sort(rest, space)
        known = replace(space, library=sort)
        forest = OutcomeForest.fit(
            known.points, sort.labels, sort.stability, len(sort.label_names), _TREES_OF_FOLDS
        )
        raw = replace(space, library=asked).raw
        found = Forecaster(known, forest, None).many(raw)
        mean += share * np.array([p.p_healthy.mean for p in found])
    return mean


def richest(space: Space, available: Space) -> Space:
    """Space of the richest pattern whose figures are all available.

    Args:
        space: Space of all figures.
        available: Space of the figures that a run has, of `Space.within`.

    Returns:
        Space of the pattern's figures; `available` itself where the library brings no forests, or
        where it has all figures of no pattern.
    """
    if not space.library.forests or available.only is None:
        return available
    known = {*available.names}
    for lacking in patterns(series_only=space.series_only):
        names = figures_of(lacking, space.names)
        if known.issuperset(names):
            return Space(space.library, space.fraction, space.series_only, names)
    return available
