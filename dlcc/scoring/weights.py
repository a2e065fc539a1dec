"""The weights of V: judgement first, then what the library says, then what reviews add.

Judgements (AHP) and evidence (Shapley values) are pooled as two Dirichlet distributions' counts
are: by their strengths. V uses the posterior's mean; its own spread comes from the terms.
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
"""One count for each of the ten judgements between the five terms of the formula."""
STRONGEST_EVIDENCE = 20.0
"""The library is of small networks: however sharp its figures, they count at most twice as much as
the judgements, so that a term keeps a third of its judged weight where trainings are of another
kind."""


@dataclass(frozen=True)
class TermWeight:
    """How one term came to its weight."""

    name: str
    prior: float
    """Weight by pairwise judgements (AHP)."""
    evidence: float | None
    """Share of the positive Shapley values; null for a term that past runs lack."""
    posterior: float
    """Weight in V."""
    shapley: Number | None
    """What it tells of a run's end, in nats per run held out; by bootstrap over settings."""


@dataclass(frozen=True)
class Weights:
    """The weights of all terms, summing to 1, and where they come from."""

    terms: tuple[TermWeight, ...]
    rows: int = 0
    """Past runs behind the evidence; 0 where the judgements stand alone."""
    settings: int = 0
    prior_strength: float = PRIOR_STRENGTH
    evidence_strength: float = 0.0
    total: float = 0.0
    """v(all) - v(none): what all of the library's terms tell together, in nats per run."""

    @property
    def posterior(self) -> dict[str, float]:
        """Term -> weight."""
        return {term.name: term.posterior for term in self.terms}

    @property
    def words(self) -> str:
        """What they rest on."""
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
    """Weights of the terms of `prior`, which holds a judged weight of each and sums to 1.

    Args:
        library: past runs; None, or too few with all terms measured, leaves the judgements alone.
            Terms that it does not have keep their judged share.
        prior: term -> judged weight.
        reviews: term -> further counts of evidence, in units of `PRIOR_STRENGTH`; none below 0.
    """
    found = None if library is None else evidence(library)
    return pooled(found, prior, reviews or {})


def pooled(
    found: Evidence | None, prior: Mapping[str, float], reviews: Mapping[str, float]
) -> Weights:
    """The same from evidence that is at hand."""
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
