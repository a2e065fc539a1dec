"""What past runs say about a vector: labels, P(good), stability, the next quarter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.estimate import Estimate
from dlcc.library.logistic import fit_logistic
from dlcc.library.outcomes import LABELS, Outcomes, row
from dlcc.stages.health.curves import Curves, smooth

Floats = NDArray[np.float64]

_GOOD = np.array([0.65, 0.56])  # coverage and quality as they are seen from records
_GOOD_WIDTH = np.array([0.15, 0.05])  # how far from them a checkpoint is clearly one or the other
_NEIGHBOURS = 30
_DRAWN = 240  # values that a mixture of two distributions is made of
_TREES = 300
_RULE_FLOOR = 0.01
_PROGNOSIS = ("good_last", "good_quarter", "good_half", "good_trend")
_NEEDS_SAMPLES = ("coverage", "quality", "imbalance", "frechet", "recall", "density", "reach")


@dataclass(frozen=True)
class HealthModel:
    """The library's knowledge, with samples or without."""

    library: Outcomes
    blind: bool
    """Whether the run has no samples to go by."""

    def good(self, curves: Curves) -> Floats:
        """P(good) at every checkpoint [c], or in every window [w]."""
        if curves.samples is None:
            return self.library.blind_good.probabilities(blind_features(curves))[:, 1]
        return self.library.good.probabilities(sighted_features(curves))[:, 1]

    def labels(self, vector: Mapping[str, float]) -> dict[str, float]:
        """Probability of each label."""
        if vector["diverged"]:
            return {name: float(name == "diverged") for name in LABELS}
        return self._labels_of_series(vector) if self.blind else self._labels_of_samples(vector)

    def _labels_of_samples(self, vector: Mapping[str, float]) -> dict[str, float]:
        """What the definitions say, put right by how past runs with such probabilities ended."""
        names = [f"rule_{name}" for name in LABELS]
        table = _log_rule(self.library.columns(names, blind=False))
        fit = fit_logistic(table, self.library.labels, len(LABELS))
        found = fit.probabilities(_log_rule(row(names, vector)[None, :]))[0]
        return {name: float(p) for name, p in zip(LABELS, found, strict=True)}

    def _labels_of_series(self, vector: Mapping[str, float]) -> dict[str, float]:
        from sklearn.ensemble import ExtraTreesClassifier

        names = [n for n in self.library.names if not _is_sighted(n)]
        trees = ExtraTreesClassifier(
            _TREES, min_samples_leaf=2, max_features=0.5, random_state=0, n_jobs=1
        )
        trees.fit(self.library.columns(names, blind=True), self.library.labels)
        found = trees.predict_proba(np.nan_to_num(row(names, vector))[None, :])[0]
        shares = dict(zip((LABELS[k] for k in trees.classes_), found, strict=True))
        return {name: float(shares.get(name, 0.0)) for name in LABELS}

    def stability(self, vector: Mapping[str, float]) -> Estimate:
        """Share of good checkpoints in the second half: as it was in the nearest past runs."""
        return Estimate.draws(self.library.stability[self._nearest(("good_half",), vector)])

    def next_quarter(self, vector: Mapping[str, float], seen: float) -> Estimate:
        """Share of good checkpoints in the next quarter: as it was in the nearest past runs.

        The library knows runs at their end. Of a run of which only the share `seen` of its length
        is there, as much of the estimate is what any run may come to.
        """
        near = self.library.next_quarter[self._nearest(_PROGNOSIS, vector)]
        known = round(_DRAWN * min(seen, 1.0))
        anything = _evenly(self.library.next_quarter, _DRAWN - known)
        return Estimate.draws(np.concatenate([_evenly(near, known), anything]))

    def _nearest(self, names: tuple[str, ...], vector: Mapping[str, float]) -> NDArray[np.int64]:
        table = self.library.columns(names, blind=self.blind)
        distances = ((table - row(names, vector)) ** 2).sum(axis=1)
        return np.argsort(distances, kind="stable")[:_NEIGHBOURS]


def _evenly(values: Floats, count: int) -> Floats:
    """`count` quantiles of the values, evenly spaced."""
    return np.quantile(values, (np.arange(count) + 0.5) / count) if count else np.zeros(0)


def sighted_features(curves: Curves) -> Floats:
    """What P(good) of a checkpoint is made of, [c, 11].

    The samples' figures, smoothed; on which side of the marks of "good" coverage and quality lie,
    and the worse of the two: a logistic of the figures alone is too gentle for a word that is
    defined by marks, all of which must be met.
    """
    assert curves.samples is not None
    figures = smooth(curves.samples)
    sides = np.tanh((figures[:, :2] - _GOOD) / _GOOD_WIDTH)
    return np.hstack([figures, sides, sides.min(axis=1, keepdims=True)])


def blind_features(curves: Curves) -> Floats:
    """What P(good) of a window is made of without samples, [w, 11], smoothed."""
    return smooth(np.nan_to_num(curves.windows))


def _log_rule(rule: Floats) -> Floats:
    """Logarithms of the probabilities by definition [n, labels], kept away from 0."""
    return np.log(rule + _RULE_FLOOR)


def _is_sighted(name: str) -> bool:
    return name.startswith((*_NEEDS_SAMPLES, "rule_", "samples_", "swing"))
