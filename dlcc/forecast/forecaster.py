"""Forecaster: a forest, less sure the farther a run is from past ones.

The forest says which past runs count, and their outcomes, so weighted, are the forecast's
distributions. A graph network may correct how likely each label is; it is left out unless one asks
for it, since it adds nothing (benchmarks/README.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcc.deprecation import renamed
from dlcc.errors import LibraryError
from dlcc.estimate import Estimate
from dlcc.forecast.forest import OutcomeForest, outcomes_of
from dlcc.forecast.own_runs import kept_recalibration, labelled
from dlcc.forecast.recalibration import Recalibration
from dlcc.forecast.rest import BestStep, Hazard, best_step, hazard, hazard_of
from dlcc.health.curves import IN_FEATURES
from dlcc.past_runs.forest_files import Forest
from dlcc.past_runs.patterns import SPACE, figures_of, patterns
from dlcc.past_runs.similarity import FEWEST_RUNS, Space
from dlcc.past_runs.store import FRACTIONS, Library, forest_name, nearest_fraction
from dlcc.records import most_probable
from dlcc.typing import Floats

if TYPE_CHECKING:
    from dlcc.forecast.gnn import OutcomeGNN


GNN_SHARE = 0.1  # of the blend of log probabilities; what it adds: benchmarks/README.md
_FLOOR = 1e-3  # probability below which neither model is believed
_DRAWN = 400  # quantiles that stand for a weighted distribution
_SURENESS = 0.5  # independent runs that a forest's effective past run stands for
_USUAL_RUNS = 0.5  # runs that the share of healthy ones in the library counts for
_SCATTER = 16.0
"""Ratio of the variance of settings' shares of healthy runs around their forecasts to what so many
independent runs would leave. It was chosen on settings trained many times
(benchmarks/replicates.py)."""
_TREES_OF_FOLDS = 36
_SKEWED = 0.2  # healthy or other runs under which a Beta's interval would leave out its own mean


@dataclass(frozen=True)
class Prediction:
    """Expected end of a run."""

    probabilities: Mapping[str, float]
    """Label -> its probability at the end; they sum to 1."""
    p_healthy: Estimate
    """Probability that the run ends healthy; its interval is that of the share of healthy runs of
    such a setting."""
    stability: Estimate
    """Share of good sample steps in the second half."""
    next_quarter: Estimate
    """Share of good sample steps in the next quarter of the configured length."""
    distance: float
    """Distance from past runs; 1 is what 90 % of these keep at most among themselves."""
    hazard: Hazard | None = None
    """Risk to fail over the rest; None for a whole record."""
    best: BestStep | None = None
    """Best sample step to expect; None where past runs do not tell."""

    kind = renamed("kind", "label")

    @property
    def label(self) -> str:
        """Most probable label."""
        return most_probable(self.probabilities)


@dataclass(frozen=True)
class Forecaster:
    """Models that are fitted on a library for runs that are as far as one of its fractions.

    `forecast_folders` fits what it needs and reads the runs.

    >>> import numpy as np
    >>> from dlcc.forecast import Forecaster
    >>> from dlcc.past_runs.in_use import library
    >>> few = library().select(np.arange(60) * 30)
    >>> forecaster = Forecaster.fit(few, seen=0.5, series_only=True)
    >>> found = forecaster.many(forecaster.space.raw[1:4])
    >>> [prediction.label for prediction in found]
    ['healthy', 'oscillating', 'collapsed']
    """

    space: Space
    """Past runs as points, in units in which they can be compared."""
    forest: OutcomeForest
    """Forest that weighs past runs."""
    gnn: OutcomeGNN | None
    """Graph network that corrects the probabilities of labels; None where it was not asked for, and
    where the record or the configuration lacks figures, for which it was never verified."""
    seen: float | None = None
    """Share of its length that a run to be forecast has recorded; the fraction of the space, where
    it is not given."""
    recalibration: Recalibration | None = None
    """Recalibration by the user's own runs; None where they are too few."""

    @classmethod
    def fit(
        cls, library: Library, seen: float, *, series_only: bool, network: bool = False
    ) -> Forecaster:
        """Fit on past runs as they were when a share of their length was seen.

        Args:
            library: Past runs with known labels.
            seen: Share of its length that a run to be forecast has recorded, 0 to 1; the nearest
                fraction of the library is taken.
            series_only: Whether the runs have no samples to judge by.
            network: Whether a graph network is to correct the forest.

        Returns:
            The fitted forecaster. The same library gives the same one.

        Raises:
            LibraryError: The library has too few runs.
        """
        space = Space(library.untampered.as_given, nearest_fraction(seen), series_only)
        return replace(cls.of(space, network=network), seen=seen)

    @classmethod
    def of(cls, space: Space, *, network: bool = False) -> Forecaster:
        """Fit on the runs of a space, or take the forest that the library brings for it.

        Args:
            space: Past runs as points; of `Space.within` where a run lacks figures.
            network: Whether a graph network is to correct the forest; it does not where figures
                are left out.

        Returns:
            The fitted forecaster.

        Raises:
            LibraryError: The space has too few runs.

        >>> import numpy as np
        >>> from dlcc.past_runs.in_use import library
        >>> few = library().select(np.arange(60) * 30)
        >>> losses = ("generator_loss_last", "discriminator_loss_last", "lr_g", "lr_d")
        >>> forecaster = Forecaster.of(Space(few, fraction=2, series_only=True, only=losses))
        >>> forecaster.gnn is None, len(forecaster.many(forecaster.space.raw[:3]))
        (True, 3)
        """
        past = space.library
        if len(past) < FEWEST_RUNS:
            raise LibraryError(
                f"the library has {len(past)} runs; a forecast needs {FEWEST_RUNS}: build "
                "one with: dlcc library build"
            )
        forest = _brought_forest(space) or OutcomeForest.fit(
            space.points, past.labels, past.stability, len(past.label_names)
        )
        if space.only is not None or not network:
            return cls(space, forest, None)
        from dlcc.forecast.gnn import OutcomeGNN

        return cls(space, forest, OutcomeGNN.fit(space))

    def __call__(self, vector: Mapping[str, float], config: Mapping[str, Any]) -> Prediction:
        """Forecast one run from its feature vector and its configuration."""
        return self.many(self.space.raw_of(vector, config)[None, :])[0]

    def many(self, raw: Floats, tilt: float = 0.0) -> list[Prediction]:
        """Forecast several runs at once.

        Args:
            raw: Figures [m, p] of m runs, p in the order of `space.names`, NaN where unknown; see
                `Space.raw_of`.
            tilt: Log-odds by which past runs that ended healthy count more, in all but P(healthy).

        Returns:
            m forecasts in the order of the rows.
        """
        points = self.space.standardised(raw)
        weights = self.forest.weights(points)
        network = [None] * len(points) if self.gnn is None else self.gnn.probabilities(points)
        return [
            self._prospect(w, p, self.space.distance(point), tilt)
            for w, p, point in zip(weights, network, points, strict=True)
        ]

    def _prospect(
        self, weights: Floats, network: Floats | None, distance: float, tilt: float
    ) -> Prediction:
        labels, names = self.space.library.labels, self.space.library.label_names
        forest = np.asarray(np.bincount(labels, weights, len(names)), dtype=np.float64)
        blended = forest if network is None else blend(forest, network, GNN_SHARE)
        weights = weights * (blended / np.maximum(forest, _FLOOR))[labels]
        weights = weights / weights.sum()
        known = 1 / max(1.0, distance)  # what is left of it far outside of the library
        weights = known * weights + (1 - known) / len(weights)
        p = np.bincount(labels, weights, minlength=len(names))
        runs = 1 + _SURENESS * known**2 / float((weights**2).sum())
        end = names.index("healthy")
        healthy, ended_so = float(p[end]), float(np.sum(labels == end))
        usual = (ended_so + 0.5) / (len(labels) + 1)  # neither 0 nor 1, whatever the library holds
        p_healthy = share_of_setting(
            (_USUAL_RUNS * usual + healthy * runs) / (_USUAL_RUNS + runs), _USUAL_RUNS + runs
        )
        if self.recalibration is not None:
            tilt = self.recalibration.tilt(p_healthy.mean)
            p_healthy = self.recalibration.of_estimate(p_healthy)
        weights = weights * np.where(labels == end, np.exp(tilt), 1.0)
        weights = weights / weights.sum()
        p = np.bincount(labels, weights, minlength=len(names))
        past = self.space.library
        seen = FRACTIONS[self.space.fraction] if self.seen is None else self.seen
        return Prediction(
            probabilities={name: float(q) for name, q in zip(names, p, strict=True)},
            p_healthy=p_healthy,
            stability=weighted(past.stability, weights),
            next_quarter=weighted(past.next_quarter[:, self.space.fraction], weights),
            distance=distance,
            hazard=hazard(self.space.courses, weights, seen),
            best=best_step(self.space.courses, weights, seen),
        )


@dataclass(frozen=True)
class PooledForecaster:
    """Two forecasters, of past runs of two sorts, whose forecasts are averaged."""

    alike: Forecaster
    """Forecaster of the past runs that are more alike, which distances and effects are from."""
    others: Forecaster
    """Forecaster of the others."""
    recalibration: Recalibration | None = None
    """Recalibration by the user's own runs; None where they are too few."""

    @property
    def space(self) -> Space:
        """Space of the past runs that are more alike."""
        return self.alike.space

    @property
    def forest(self) -> OutcomeForest:
        """Forest of the past runs that are more alike."""
        return self.alike.forest

    def __call__(self, vector: Mapping[str, float], config: Mapping[str, Any]) -> Prediction:
        """Forecast one run from its feature vector and its configuration."""
        plain = self._averaged(vector, config)
        if self.recalibration is None:
            return plain
        tilted = self._averaged(vector, config, self.recalibration.tilt(plain.p_healthy.mean))
        return replace(tilted, p_healthy=self.recalibration.of_estimate(plain.p_healthy))

    def _averaged(
        self, vector: Mapping[str, float], config: Mapping[str, Any], tilt: float = 0.0
    ) -> Prediction:
        """Average both forecasts."""
        one, other = (
            part.many(part.space.raw_of(vector, config)[None, :], tilt)[0]
            for part in (self.alike, self.others)
        )
        names = one.probabilities
        return Prediction(
            probabilities={n: (names[n] + other.probabilities.get(n, 0.0)) / 2 for n in names},
            p_healthy=_both(one.p_healthy, other.p_healthy),
            stability=_both(one.stability, other.stability),
            next_quarter=_both(one.next_quarter, other.next_quarter),
            distance=one.distance,
            hazard=_both_hazards(one.hazard, other.hazard),
            best=one.best or other.best,
        )


def _both_hazards(one: Hazard | None, other: Hazard | None) -> Hazard | None:
    """Hazards of a run that is of either sort with equal probability."""
    if one is None or other is None:
        return None
    return hazard_of((np.array(one.lasting) + np.array(other.lasting)) / 2)


def _both(one: Estimate, other: Estimate) -> Estimate:
    """Distribution that is either of two with equal probability."""
    return Estimate.draws(np.concatenate([one.sample("one"), other.sample("other")]))


_Key = tuple[int, bool, tuple[str, ...] | None]


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
        for a half, by these figures, and the others for the other half: what is alike tells more of
        data that past runs know, and less of others.
        """
        past, fraction = self._library.untampered, nearest_fraction(seen)
        every = Space(past.as_given, fraction, series_only)
        general = self._of(richest(every, every.within(vector, config)))
        alike = past.in_features
        if series_only or len(alike) < FEWEST_RUNS or any(n not in vector for n in IN_FEATURES):
            known = self._recalibration(past, general.space)
            return replace(general, seen=seen, recalibration=known)
        near = self._of(Space(alike, fraction, False, IN_FEATURES))
        return PooledForecaster(
            replace(near, seen=seen),
            replace(general, seen=seen),
            self._recalibration(past, general.space, near.space),
        )

    def _of(self, space: Space) -> Forecaster:
        """Forecaster of a space, fitted once."""
        key = space.fraction, space.series_only, space.only
        if key not in self._fitted:
            self._fitted[key] = Forecaster.of(space, network=self._network)
        return self._fitted[key]

    def _recalibration(self, past: Library, *spaces: Space) -> Recalibration | None:
        """Recalibration of forecasts in these spaces by the user's own runs, fitted once."""
        key = tuple((space.fraction, space.series_only, space.only) for space in spaces)
        if key not in self._recalibrations:
            own = labelled(past, spaces)
            self._recalibrations[key] = kept_recalibration(
                past,
                own,
                str(key),
                lambda rest, asked: _mean_of_spaces(rest, asked, spaces),
            )
        return self._recalibrations[key]


def _mean_of_spaces(rest: Library, asked: Library, spaces: Sequence[Space]) -> Floats:
    """P(healthy) [n] of runs by the past runs `rest`, averaged over the sorts of past runs that the
    spaces are of; of few trees, since folds of the runs are forecast so."""
    found = []
    for space in spaces:
        sort = rest.in_features if space.only == IN_FEATURES else rest.as_given
        known = replace(space, library=sort)
        forest = OutcomeForest.fit(
            known.points, sort.labels, sort.stability, len(sort.label_names), _TREES_OF_FOLDS
        )
        raw = replace(space, library=asked).raw
        found.append([p.p_healthy.mean for p in Forecaster(known, forest, None).many(raw)])
    return np.asarray(np.mean(found, axis=0))


def _brought_forest(space: Space) -> OutcomeForest | None:
    """Forest that the space's library brings; None for figures of no pattern, or without one."""
    past = space.library
    if not past.forests:
        return None
    if space.only == IN_FEATURES:
        name = forest_name(space.fraction, series_only=False, lacking=SPACE)
        return _of_nodes(space, past.forests.get(name))
    if past.as_given is not past:  # forests are of runs of one sort
        return None
    every = Space(past, space.fraction, space.series_only).names
    for lacking in patterns(series_only=space.series_only):
        if figures_of(lacking, every) == space.names:
            name = forest_name(space.fraction, series_only=space.series_only, lacking=lacking)
            return _of_nodes(space, past.forests.get(name))
    return None


def _of_nodes(space: Space, nodes: Forest | None) -> OutcomeForest | None:
    """Make a forest of its nodes, where there are any."""
    if nodes is None:
        return None
    past = space.library
    outcomes = outcomes_of(past.labels, past.stability, len(past.label_names))
    return OutcomeForest(space.points, outcomes, nodes)


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


def share_of_setting(mean: float, runs: float) -> Estimate:
    """Estimate the share of healthy runs of a setting from a forecast `mean` by `runs` past runs.

    `mean` lies between 0 and 1 and is neither.
    """
    skewed = _SKEWED / min(mean, 1 - mean)
    worth = min(runs, max(runs / _SCATTER, skewed))
    return Estimate.beta(mean * worth, (1 - mean) * worth)


def blend(forest: Floats, network: Floats, share: float) -> Floats:
    """Blend probabilities [labels] of the two models: logarithms are averaged, the network's with
    weight `share`."""
    logs = (1 - share) * np.log(np.maximum(forest, _FLOOR))
    mixed = np.exp(logs + share * np.log(np.maximum(network, _FLOOR)))
    return np.asarray(mixed / mixed.sum())


def weighted(values: Floats, weights: Floats) -> Estimate:
    """Distribution of known outcomes [n] under weights [n], as evenly spaced quantiles."""
    known = np.isfinite(values)
    order = np.argsort(values[known], kind="stable")
    ascending, mass = values[known][order], np.cumsum(weights[known][order])
    at = (np.arange(_DRAWN) + 0.5) / _DRAWN * mass[-1]
    return Estimate.draws(ascending[np.minimum(np.searchsorted(mass, at), len(mass) - 1)])
