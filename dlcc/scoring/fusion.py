"""From what stages measured to V: weights, imputation, the term meta, and the correction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dlcc.estimate import Estimate
from dlcc.past_runs.store import Library
from dlcc.scoring.correction import AS_IT_IS, Correction, Widening, corrected, impact_coverage
from dlcc.scoring.imputation import Imputed, impute
from dlcc.scoring.meta import Baselines, meta
from dlcc.scoring.value import SEED_TERMS, HyperScore, Value, fuse, terms_of_v, weigh
from dlcc.scoring.weights import Weights, posterior_weights


@dataclass(frozen=True)
class Score:
    """V, and how it came to be."""

    value: Value
    weights: Weights
    imputed: Mapping[str, Imputed]
    """What stands in for the terms of the formula that nobody measured."""
    correction: Correction


def score(
    estimates: Mapping[str, Estimate],
    prior: Mapping[str, float],
    library: Library | None,
    *,
    past: Library | None = None,
    alike: Library | None = None,
    reviews: Mapping[str, float] | None = None,
    hyperscore: HyperScore | None = None,
) -> Score:
    """The score of the terms that were measured.

    Args:
        estimates: term -> what stages measured.
        prior: term -> judged weight.
        library: past runs that the weights are made from.
        past: those from which missing terms are imputed: the library without the run itself.
        alike: those that the correction is made from: of the run's own kind; default `library`.
        reviews: term -> further counts of evidence, see `posterior_weights`.
        hyperscore: with other parameters than the usual ones.
    """
    weights = posterior_weights(library, weigh(terms_of_v(estimates), prior), reviews)
    known = library if past is None else past
    measured = {name: e for name, e in estimates.items() if name != "meta"}
    imputed = {
        name: impute(name, measured, known)
        for name in SEED_TERMS
        if name != "meta" and name not in measured
    }
    stand = Baselines.of(measured, known)

    def compute(widened: Mapping[str, Widening]) -> Value:
        """V with the spreads widened; ⋄ belongs to the widened terms."""
        fed = {name: widened.get(name, AS_IT_IS)(e) for name, e in measured.items()}
        stands = {name: widened.get(name, AS_IT_IS)(i.estimate) for name, i in imputed.items()}
        own = estimates.get("meta") or meta({**fed, **stands}, weights.posterior, stand)
        fed["meta"] = widened.get("meta", AS_IT_IS)(own)
        return fuse(fed, weights.posterior, hyperscore, stands)

    value, correction = corrected(compute, impact_coverage(library if alike is None else alike))
    return Score(value, weights, imputed, correction)
