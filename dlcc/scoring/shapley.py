"""Information of each term about the end of a run: exact Shapley values over the library.

The value v(S) of a set S of terms is the held-out log-likelihood per run of *healthy and the record
true*, given the terms in S. The Shapley value of a term is what it adds on average over all orders
in which the terms can come in (Shapley 1953; for predictors, Owen and Prieur 2017). The values add
up to v(all) - v(none).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.cache import kept
from dlcc.health.logistic import fit_logistic
from dlcc.past_runs.store import TERMS, Library
from dlcc.typing import Floats

FOLDS = 5
FEWEST_ROWS = 40
"""Least number of runs with all terms measured that evidence is made of."""
FEWEST_OF_A_KIND = 8
"""Least number of runs of either kind, healthy ones and others, that anything is fitted to."""
_RESAMPLES = 1000
_SURE = 1e-3  # no probability is believed to be nearer to 0 or 1
_HEALTHY = 0  # index of the label


@dataclass(frozen=True)
class Evidence:
    """Evidence of the library on each term of `TERMS`."""

    values: tuple[float, ...]
    """Shapley values [terms], in nats per run."""
    low: tuple[float, ...]
    """Lower ends [terms] of the values' 90 % intervals, by bootstrap over settings."""
    high: tuple[float, ...]
    """Upper ends [terms] of the intervals."""
    concentration: float
    """Concentration of the Dirichlet distribution that scatters as the shares of resampled settings
    do."""
    total: float
    """Information of all terms together, v(all) - v(none), in nats per run."""
    rows: int
    """Number of past runs with all terms measured."""
    settings: int
    """Number of settings among the past runs."""

    @property
    def shares(self) -> Floats:
        """Positive parts of the values [terms], scaled to sum 1; all 0 where no term tells
        anything."""
        return positive_shares(np.array(self.values))


def evidence(library: Library) -> Evidence | None:
    """Compute the evidence of a library from its rows with all terms measured, doctored ones too.

    None where these rows are too few.
    """
    means = library.terms[:, :, 0]
    rows = np.isfinite(means).all(axis=1)
    target = ((library.labels == _HEALTHY) & library.true_record)[rows].astype(np.int64)
    fewest = min(target.sum(), len(target) - target.sum()) if len(target) else 0
    if len(target) < FEWEST_ROWS or fewest < FEWEST_OF_A_KIND:
        return None
    settings = np.unique(library.settings[rows], return_inverse=True)[1]
    features = means[rows].copy()
    impact = TERMS.index("impact")
    features[:, impact] = np.log2(1 + features[:, impact])  # as it enters V
    of = features.tobytes() + target.tobytes() + settings.tobytes()
    made = kept("scores", "shapley", of, lambda: asdict(_evidence(features, target, settings)))
    values, low, high = (tuple(made.pop(name)) for name in ("values", "low", "high"))
    return Evidence(values=values, low=low, high=high, **made)


def _evidence(features: Floats, target: NDArray[np.int64], settings: NDArray[np.int64]) -> Evidence:
    gains = log_likelihoods(features, target, settings)
    d = features.shape[1]
    per_run = shapley_values(lambda subset: gains[subset], d)  # [terms, n]: v is a mean of runs
    resampled = _resampled(per_run, settings)
    low, high = np.quantile(resampled, [0.05, 0.95], axis=0)
    return Evidence(
        values=tuple(float(v) for v in per_run.mean(axis=1)),
        low=tuple(float(v) for v in low),
        high=tuple(float(v) for v in high),
        concentration=concentration(positive_shares(resampled)),
        total=float((gains[frozenset(range(d))] - gains[frozenset()]).mean()),
        rows=len(target),
        settings=int(settings.max()) + 1,
    )


def concentration(shares: Floats) -> float:
    """Estimate the concentration of a Dirichlet distribution from draws `shares` [n, terms].

    By moments: Σ m(1 - m) / Σ var - 1 with the shares' means m and variances. A Dirichlet
    distribution of concentration s has var = m(1 - m) / (s + 1).
    """
    mean, variance = shares.mean(axis=0), shares.var(axis=0).sum()
    return max(0.0, float((mean * (1 - mean)).sum() / max(variance, 1e-9)) - 1)


def positive_shares(values: Floats) -> Floats:
    """Scale positive parts along the last axis to sum 1; all 0 where there are none."""
    positive = np.maximum(values, 0.0)
    total = positive.sum(axis=-1, keepdims=True)
    return np.asarray(positive / np.where(total > 0, total, 1.0))


def shapley_values(value: Callable[[frozenset[int]], Floats], n: int) -> Floats:
    """Compute exact Shapley values of n players from the value of each of the 2^n sets.

    φ_i = Σ_S |S|! (n - |S| - 1)! / n! · (v(S ∪ i) - v(S)) over the sets S without i (Shapley 1953).

    Args:
        value: Set of players, 0 to n - 1, to the value v of the set: an array [...] in any unit.
            It is called for every pair of sets that differ by one player.
        n: Number of players.

    Returns:
        Shapley values [n, ...] in the unit of `value`; they sum to v(all) - v(none).

    >>> import numpy as np
    >>> from dlcc.scoring import shapley_values
    >>> gloves = lambda owners: np.array(float(0 in owners and len(owners) > 1))
    >>> shapley_values(gloves, 3).round(3).tolist()  # one left glove, two right ones
    [0.667, 0.167, 0.167]
    """
    sizes = [math.factorial(s) * math.factorial(n - s - 1) / math.factorial(n) for s in range(n)]
    values = []
    for i in range(n):
        others = [k for k in range(n) if k != i]
        gains = [
            sizes[size] * (value(frozenset({*chosen, i})) - value(frozenset(chosen)))
            for size in range(n)
            for chosen in itertools.combinations(others, size)
        ]
        values.append(sum(gains))
    return np.asarray(values)


def log_likelihoods(
    features: Floats, target: NDArray[np.int64], settings: NDArray[np.int64]
) -> dict[frozenset[int], Floats]:
    """Compute the held-out ln p(target) [n] of each run for every set of columns of `features`.

    `features` are [n, d]. Runs of the same of `settings` [n] are in the same fold.
    """
    n, d = features.shape
    fold = (np.random.default_rng(0).permutation(settings.max() + 1) % FOLDS)[settings]
    held_out = {}
    for size in range(d + 1):
        for chosen in itertools.combinations(range(d), size):
            p = np.empty(n)
            for k in range(FOLDS):
                apart = fold == k
                x = features[:, list(chosen)]
                p[apart] = _fitted(x[~apart], target[~apart], x[apart])
            p = np.clip(p, _SURE, 1 - _SURE)
            held_out[frozenset(chosen)] = np.where(target == 1, np.log(p), np.log(1 - p))
    return held_out


def _fitted(x: Floats, y: NDArray[np.int64], at: Floats) -> Floats:
    if x.shape[1] == 0:
        return np.full(len(at), (y.sum() + 0.5) / (len(y) + 1))  # the base rate
    return fit_logistic(x, y, 2).probabilities(at)[:, 1]


def _resampled(per_run: Floats, settings: NDArray[np.int64]) -> Floats:
    """Bootstrap means of `per_run` [terms, n], whole settings drawn with replacement."""
    count = int(settings.max()) + 1
    sums = np.stack([np.bincount(settings, row, count) for row in per_run])  # [terms, settings]
    sizes = np.bincount(settings, minlength=count)
    rng = np.random.default_rng(1)
    times = rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES)
    return np.asarray((times @ sums.T) / (times @ sizes)[:, None])
