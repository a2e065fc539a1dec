"""Verdicts learnt from past runs: labels and stability of a feature vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.estimate import Estimate
from dlcc.health.curves import NEEDS_SAMPLES
from dlcc.health.logistic import LogisticPosterior, fit_logistic
from dlcc.kinds import TrainingKind
from dlcc.kinds.gan import GAN
from dlcc.past_runs.store import Library, comparable, row
from dlcc.records import LABELS
from dlcc.typing import Floats

_CONTINUED, _DRAWS = 60, 1_000
_OTHERWISE = "weak"  # label that stands for one that past runs do not know
_NEIGHBOURS = 30
_TREES = 300
_RULE_FLOOR = 0.01
_RULES = tuple(f"rule_{name}" for name in LABELS)


@dataclass(frozen=True)
class HealthModel:
    """Model of a run's label and stability, learnt from past runs, with samples or without.

    >>> from dlcc.past_runs import shipped_library
    >>> past = shipped_library()
    >>> vector = dict(zip(past.names, past.vectors[4, -1]))  # of a run whose outcome is known
    >>> others = past.select(np.arange(len(past)) != 4)
    >>> model = HealthModel(others, series_only=False)
    >>> probabilities = model.labels(vector)
    >>> max(probabilities, key=probabilities.get), past.label_of(4)
    ('healthy', 'healthy')
    >>> model.stability(vector).mean > 0.9, model.continuation(vector).mean > 0.9
    (True, True)
    """

    library: Library
    """Past runs to learn from."""
    series_only: bool
    """Whether the run has no samples to go by."""
    kind: TrainingKind = GAN
    """Kind of the run's training."""

    @cached_property
    def _known(self) -> Library:
        """Runs whose record is true and that have the figures that are asked for.

        Those whose samples were compared in a space of features are not among them: the verdicts
        that were verified are learnt without (benchmarks/verdicts_on_images.py).
        """
        untampered = self.library.untampered.as_given
        (good,) = untampered.columns(["good_half"], series_only=self.series_only).T
        return untampered.select(np.isfinite(good))

    def labels(self, vector: Mapping[str, float]) -> dict[str, float]:
        """Estimate the probability of each label of the kind.

        Args:
            vector: Feature vector of the run, as `RunFeatures.vector` gives it.

        Returns:
            Label to probability; they sum to 1.
        """
        certain = "diverged" if vector["diverged"] else self.kind.marked(vector)
        if certain is not None:
            return {name: float(name == certain) for name in self.kind.label_names}
        found = (
            self._labels_of_series(vector) if self.series_only else self._labels_of_samples(vector)
        )
        return dict.fromkeys(self.kind.label_names, 0.0) | found

    def _labels_of_samples(self, vector: Mapping[str, float]) -> dict[str, float]:
        """Probabilities by definition, corrected by how past runs with the like ended."""
        rules = _log_rule(row(_RULES, vector)[None, :])
        found = self._rule_fit.probabilities(rules)[0]
        return {name: float(p) for name, p in zip(LABELS, found, strict=True)}

    @cached_property
    def _rule_fit(self) -> LogisticPosterior:
        """Fit of the labels on the logarithms of their probabilities by definition."""
        table = _log_rule(self._known.columns(_RULES, series_only=False))
        return fit_logistic(table, self._known.labels, len(LABELS))

    def _labels_of_series(self, vector: Mapping[str, float]) -> dict[str, float]:
        """Probabilities by trees grown on the series' figures."""
        names = comparable(self._series_names, vector)
        trees = self._series_trees(names)
        found = trees.predict_proba(row(names, vector)[None, :])[0]
        shares = dict(zip((LABELS[k] for k in trees.classes_), found, strict=True))
        return {name: float(shares.get(name, 0.0)) for name in LABELS}

    @cached_property
    def _series_names(self) -> list[str]:
        """Names of the figures that need no samples."""
        return [n for n in self.library.names if n not in NEEDS_SAMPLES]

    @cached_property
    def _fitted(self) -> dict[tuple[str, ...], Any]:
        """Trees by the figures that they were fitted on."""
        return {}

    def _series_trees(self, names: tuple[str, ...]) -> Any:
        """Trees fitted on these of the series' figures of past runs: what a record lacks is not
        learnt from either."""
        if names not in self._fitted:
            from sklearn.ensemble import ExtraTreesClassifier

            trees = ExtraTreesClassifier(
                _TREES, min_samples_leaf=2, max_features=0.5, random_state=0, n_jobs=1
            )
            table = self._known.columns(names, series_only=True)
            self._fitted[names] = trees.fit(table, self._known.labels)
        return self._fitted[names]

    def stability(self, vector: Mapping[str, float]) -> Estimate:
        """Estimate the share of good sample steps in the second half.

        Args:
            vector: Feature vector of the run, as `RunFeatures.vector` gives it.

        Returns:
            Distribution of that share in the 30 past runs whose P(good) in the second half is
            nearest.
        """
        return Estimate.draws(self._known.stability[self._nearest(("good_half",), vector)])

    def continuation(self, vector: Mapping[str, float]) -> Estimate | None:
        """Estimate the share of good sample steps in a quarter of the length beyond the end.

        A healthy run goes on like past runs that were as good. A failed one may have been good for
        some time, and ended in such a time; it is expected to go on no better than its labels let
        one expect.

        Args:
            vector: Feature vector of a whole run, as `RunFeatures.vector` gives it.

        Returns:
            Mean share of the 60 past runs whose P(good) in the second half and in the last quarter
            is nearest; of what of the label is not healthy the mean share of past runs of each
            label, by its probability, where that is less; with what the Bayesian bootstrap (Rubin
            1981) says of these means. None where P(good) is unknown, or some label has no past run
            that went on beyond its end.
        """
        after = self._known.next_quarter[:, -1]
        shown = np.isfinite(after)
        names, labels = self._known.label_names, self._known.labels
        of_label = {name: after[shown & (labels == k)] for k, name in enumerate(names)}
        near = ("good_half", "good_quarter")
        if not all(map(len, of_label.values())) or not all(name in vector for name in near):
            return None
        order = self._nearest(near, vector, len(after))
        rng, p = np.random.default_rng(0), self.labels(vector)
        as_good = _bootstrapped_mean(after[order[shown[order]]][:_CONTINUED], rng)
        usual = sum(
            share * _bootstrapped_mean(of_label.get(name, of_label[_OTHERWISE]), rng)
            for name, share in p.items()
            if share > 0
        )
        healthy = p["healthy"]
        draws = healthy * as_good + (1 - healthy) * np.minimum(as_good, usual)
        return Estimate.draws(np.clip(draws, 0, 1))

    def _nearest(
        self, names: tuple[str, ...], vector: Mapping[str, float], most: int = _NEIGHBOURS
    ) -> NDArray[np.int64]:
        """Find the past runs whose figures `names` are nearest to a vector's, nearest first."""
        table = self._known.columns(names, series_only=self.series_only)
        distances = ((table - row(names, vector)) ** 2).sum(axis=1)
        return np.argsort(distances, kind="stable")[:most]


def _bootstrapped_mean(values: Floats, rng: np.random.Generator) -> Floats:
    """Draw the mean of values [n] by the Bayesian bootstrap."""
    return np.asarray(rng.dirichlet(np.ones(len(values)), size=_DRAWS) @ values)


def _log_rule(rule: Floats) -> Floats:
    """Logarithms of the probabilities by definition [n, labels], kept away from 0."""
    return np.log(rule + _RULE_FLOOR)
