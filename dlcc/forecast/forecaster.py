"""Forecaster: a forest, less sure the farther a run is from past ones.

The forest says which past runs count, and their outcomes, so weighted, are the forecast's
distributions. A graph network may correct how likely each label is; it is left out unless one asks
for it, since it adds nothing (benchmarks/README.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcc.deprecation import renamed
from dlcc.errors import LibraryError
from dlcc.estimate import Estimate
from dlcc.forecast.forest import OutcomeForest, outcomes_of
from dlcc.forecast.recalibration import Recalibration
from dlcc.forecast.rest import BestStep, Hazard, best_step, hazard
from dlcc.health.curves import IN_FEATURES
from dlcc.past_runs.forest_files import Forest
from dlcc.past_runs.patterns import CONFIGURATION, CONFIGURED, SPACE, figures_of, patterns
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


def _brought_forest(space: Space) -> OutcomeForest | None:
    """Forest that the space's library brings; None for figures of no pattern, or without one."""
    past = space.library
    if not past.forests:
        return None
    if space.only == IN_FEATURES:
        name = forest_name(space.fraction, series_only=False, lacking=SPACE)
        return _of_nodes(space, past.forests.get(name))
    if space.only == CONFIGURED:
        return _of_nodes(space, past.forests.get(CONFIGURATION))
    if past.as_given is not past:  # the others are of runs of one sort
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
