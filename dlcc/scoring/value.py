"""V and the HyperScore, carried as draws (DLCC, section 2, "Research Value Prediction Scoring").

V = w1·logic + w2·novelty + w3·log2(1 + impact) + w4·reproducibility + w5·meta
HyperScore = 100·[1 + σ(β·ln V + γ)^κ]
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from dlcc.errors import OptionError
from dlcc.estimate import DRAWS, Estimate, Number
from dlcc.typing import Floats

SEED_TERMS = ("logic", "novelty", "impact", "reproducibility", "meta")
"""The five terms of the formula; custom stages add more."""


@dataclass(frozen=True)
class Term:
    """One term of V."""

    name: str
    estimate: Estimate
    measured: bool
    """False where nobody fed it and the low end of past runs, or ignorance, stands in."""
    weight: float
    number: Number
    contribution: Number
    """weight · term, the impact as log2(1 + impact)."""


@dataclass(frozen=True)
class Value:
    """V with its terms and the HyperScore."""

    terms: tuple[Term, ...]
    draws: Floats
    """V [DRAWS]."""
    hyperscore: HyperScore

    @property
    def value(self) -> Number:
        """V."""
        return Number.of(self.draws)

    @property
    def score(self) -> Number:
        """The HyperScore of V."""
        return Number.of(self.hyperscore(self.draws))


@dataclass(frozen=True)
class HyperScore:
    """100·[1 + σ(β·ln V + γ)^κ]; β outside 4..6 is refused unless forced."""

    beta: float = 5.0
    gamma: float = -math.log(2)
    kappa: float = 2.0
    force: bool = False

    def __post_init__(self) -> None:
        if not 4 <= self.beta <= 6 and not self.force:
            raise OptionError(
                f"HyperScore's beta is {self.beta:g}; expected 4 to 6 (force=True takes any)"
            )
        if not (self.beta > 0 and self.kappa > 0 and math.isfinite(self.gamma)):
            raise OptionError("HyperScore needs beta > 0, kappa > 0 and a finite gamma")

    def __call__(self, value: Floats) -> Floats:
        """Scores [...] of values [...] in [0, 1]; 100 at V = 0, by continuity."""
        with np.errstate(divide="ignore", over="ignore"):
            exponent = self.beta * np.log(value) + self.gamma
            return np.asarray(100 * (1 + (1 / (1 + np.exp(-exponent))) ** self.kappa))

    @property
    def range(self) -> tuple[float, float]:
        """The scores at V = 0 and V = 1."""
        low, high = self(np.array([0.0, 1.0]))
        return float(low), float(high)


def terms_of_v(measured: Collection[str]) -> list[str]:
    """The formula's terms, and those of custom stages that were measured."""
    return [*SEED_TERMS, *sorted(set(measured) - set(SEED_TERMS))]


def weigh(names: list[str], prior: Mapping[str, float]) -> dict[str, float]:
    """Weights, summing to 1, of the terms `names`.

    A term that nobody judged (a custom stage's) weighs as much as the mean judged one.
    """
    judged = [prior[n] for n in names if n in prior]
    usual = sum(judged) / len(judged) if judged else 1.0
    raw = {n: prior.get(n, usual) for n in names}
    total = sum(raw.values())
    return {n: w / total for n, w in raw.items()}


def fuse(
    estimates: Mapping[str, Estimate],
    weights: Mapping[str, float],
    hyperscore: HyperScore | None = None,
    imputed: Mapping[str, Estimate] | None = None,
) -> Value:
    """V from the measured terms; what stands in for the formula's others is `imputed`.

    Of a term that is in neither, nothing is known. `weights` need not sum to 1 nor be complete.
    """
    names = terms_of_v(estimates)
    shares = weigh(names, weights)
    terms, total = [], np.zeros(DRAWS)
    for name in names:
        estimate = estimates.get(name) or (imputed or {}).get(name) or Estimate.ignorance()
        draws = estimate.sample(name)
        part = shares[name] * as_it_enters(name, draws)
        total = total + part
        terms.append(
            Term(
                name=name,
                estimate=estimate,
                measured=name in estimates,
                weight=shares[name],
                number=Number.of(draws),
                contribution=Number.of(part),
            )
        )
    return Value(tuple(terms), total, hyperscore or HyperScore())


def as_it_enters(name: str, draws: Floats) -> Floats:
    """A term [...] as V adds it up: the impact as log2(1 + impact), the others as they are."""
    return np.log2(1 + draws) if name == "impact" else draws
