"""Fusion of measured terms to V: weights, imputation, the term meta, and the correction."""

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
    """Value V of a run, and the steps that led to it."""

    value: Value
    """Value V with its terms and the HyperScore, after the correction."""
    weights: Weights
    """Weights of the terms, from judgements, past runs and reviews."""
    imputed: Mapping[str, Imputed]
    """Term that nobody measured -> its imputation."""
    correction: Correction
    """Rounds in which spreads were widened."""

    @property
    def is_measured(self) -> bool:
        """Whether stages fed at least half of the terms' weight: else V would be past runs'."""
        measured = sum(term.weight for term in self.value.terms if term.measured)
        return measured >= 0.5 * sum(term.weight for term in self.value.terms)


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
    """Score a run by the terms that were measured: V of `fuse` (DLCC, section 2), corrected.

    Args:
        estimates: Term -> estimate by the stages that fed it.
        prior: Term -> judged weight, as `ahp_weights` gives them.
        library: Past runs from which the weights are made; None leaves the judgements alone.
        past: Past runs from which missing terms are imputed: the library without the run itself.
            By default `library`.
        alike: Past runs of the run's own kind, from which the correction is made. By default
            `library`.
        reviews: Term -> further counts of evidence, see `posterior_weights`.
        hyperscore: HyperScore with other parameters than the usual ones.

    Returns:
        V after the correction, its weights, and what was imputed. Terms of the formula that are
        not in `estimates` get the low end of past runs.

    Raises:
        ValueError: A count of `reviews` is negative or of no known term.

    >>> from dlcc.estimate import Estimate
    >>> from dlcc.scoring import ahp_weights, score
    >>> measured = {"logic": Estimate.obligations(134, 0), "impact": Estimate.normal(0.8, 0.05)}
    >>> scored = score(measured, ahp_weights(), library=None)
    >>> round(scored.value.value.mean, 2), sorted(scored.imputed)
    (0.73, ['novelty', 'reproducibility'])
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
        """Compute V with widened spreads; the term meta (⋄) is that of the widened terms."""
        fed = {name: widened.get(name, AS_IT_IS)(e) for name, e in measured.items()}
        stands = {name: widened.get(name, AS_IT_IS)(i.estimate) for name, i in imputed.items()}
        own = estimates.get("meta") or meta({**fed, **stands}, weights.posterior, stand)
        fed["meta"] = widened.get("meta", AS_IT_IS)(own)
        return fuse(fed, weights.posterior, hyperscore, stands)

    value, correction = corrected(compute, impact_coverage(library if alike is None else alike))
    return Score(value, weights, imputed, correction)
