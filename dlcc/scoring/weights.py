"""Weights of V: pairwise judgements, then evidence from the library, then reviews.

Judgements (AHP) and evidence (Shapley values) are pooled as the counts of two Dirichlet
distributions are: by their strengths. V uses the posterior's mean; its own spread comes from the
terms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlcc.estimate import Number
from dlcc.past_runs.store import TERMS, Library
from dlcc.scoring.shapley import Evidence, evidence

PRIOR_STRENGTH = 10.0
"""Strength of the judgements: a count for each of the ten between the formula's five terms."""
STRONGEST_EVIDENCE = 20.0
"""Largest strength of evidence from the library.

The library is of small networks: however sharp its figures, they count at most twice as much as the
judgements, so that a term keeps a third of its judged weight where trainings are of another kind.
"""


@dataclass(frozen=True)
class TermWeight:
    """Weight of one term, and the judgement and evidence behind it."""

    name: str
    """Name of the term, such as `logic`."""
    prior: float
    """Weight by pairwise judgements (AHP), 0 to 1."""
    evidence: float | None
    """Share of the positive Shapley values; null for a term that past runs lack."""
    posterior: float
    """Weight in V, 0 to 1."""
    shapley: Number | None
    """Information of the term about a run's end, in nats per held-out run, with its 90 % interval
    by bootstrap over settings; null for a term that past runs lack."""


@dataclass(frozen=True)
class Weights:
    """Weights of all terms, summing to 1, and the judgements and evidence behind them."""

    terms: tuple[TermWeight, ...]
    """Weight of every term."""
    rows: int = 0
    """Number of past runs behind the evidence; 0 where there are only judgements."""
    settings: int = 0
    """Number of settings among the past runs."""
    prior_strength: float = PRIOR_STRENGTH
    """Counts that the judgements weigh."""
    evidence_strength: float = 0.0
    """Counts that the evidence of past runs weighs."""
    total: float = 0.0
    """Information of all of the library's terms together, v(all) - v(none), in nats per run."""

    @property
    def posterior(self) -> dict[str, float]:
        """Term -> weight."""
        return {term.name: term.posterior for term in self.terms}

    @property
    def words(self) -> str:
        """Sources of the weights, in a sentence."""
        if not self.rows:
            return (
                "judgements alone: the library has too few runs with all terms measured to say more"
            )
        return (
            f"judgements, and {self.rows} past runs of {self.settings} settings whose terms were "
            "all measured"
        )


def posterior_weights(
    library: Library | None,
    prior: Mapping[str, float],
    reviews: Mapping[str, float] | None = None,
) -> Weights:
    """Pool judged weights with the evidence of past runs and of reviews.

    Args:
        library: Past runs; None, or too few with all terms measured, leaves the judgements alone.
            Terms that it does not have keep their judged share.
        prior: Term -> judged weight of every term, summing to 1.
        reviews: Term -> further counts of evidence, at least 0; the judgements count
            `PRIOR_STRENGTH` together.

    Returns:
        Weights of the terms of `prior`, summing to 1, with the evidence behind them.

    Raises:
        ValueError: `prior` has a negative weight or does not sum to 1, or `reviews` has a negative
            count or an unknown term.

    >>> from dlcc.scoring import posterior_weights
    >>> weights = posterior_weights(None, {"logic": 0.5, "impact": 0.5}, reviews={"impact": 10.0})
    >>> weights.posterior
    {'logic': 0.25, 'impact': 0.75}
    """
    found = None if library is None else evidence(library)
    return pooled(found, prior, reviews or {})


def pooled(
    found: Evidence | None, prior: Mapping[str, float], reviews: Mapping[str, float]
) -> Weights:
    """Pool judged weights with evidence that is at hand; see `posterior_weights`."""
    _check(prior, reviews)
    if found is None or not found.shares.any() or not set(TERMS) <= set(prior):
        return Weights(tuple(_reviewed(prior, dict(prior), PRIOR_STRENGTH, reviews, None)))
    strength = min(found.concentration, STRONGEST_EVIDENCE)
    mass = sum(prior[name] for name in TERMS)
    both = dict(prior)
    for name, share in zip(TERMS, found.shares, strict=True):
        both[name] = (PRIOR_STRENGTH * prior[name] + strength * mass * float(share)) / (
            PRIOR_STRENGTH + strength
        )
    return Weights(
        terms=tuple(_reviewed(prior, both, PRIOR_STRENGTH + strength, reviews, found)),
        rows=found.rows,
        settings=found.settings,
        evidence_strength=strength,
        total=found.total,
    )


def _reviewed(
    prior: Mapping[str, float],
    weights: Mapping[str, float],
    strength: float,
    reviews: Mapping[str, float],
    found: Evidence | None,
) -> list[TermWeight]:
    counts = {name: strength * w + reviews.get(name, 0.0) for name, w in weights.items()}
    total = math.fsum(counts.values())
    made = []
    for name in weights:
        k = TERMS.index(name) if found is not None and name in TERMS else None
        value = share = None
        if found is not None and k is not None:
            value = Number(found.values[k], found.low[k], found.high[k])
            share = float(found.shares[k])
        made.append(TermWeight(name, prior[name], share, counts[name] / total, value))
    return made


def _check(prior: Mapping[str, float], reviews: Mapping[str, float]) -> None:
    if not np.isclose(sum(prior.values()), 1.0) or min(prior.values()) < 0:
        raise ValueError(f"judged weights are at least 0 and sum to 1, got {dict(prior)}")
    for name, count in reviews.items():
        if name not in prior or not (math.isfinite(count) and count >= 0):
            raise ValueError(
                f"reviews count at least 0 for terms of {', '.join(prior)}; got {name}: {count}"
            )
