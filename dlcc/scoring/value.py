"""Value V and HyperScore as draws (DLCC, section 2, "Research Value Prediction Scoring").

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
"""Names of the formula's five terms; custom stages add more."""


@dataclass(frozen=True)
class Term:
    """One term of V."""

    name: str
    """Name of the term, such as `logic`."""
    estimate: Estimate
    """Distribution of the term on [0, 1]."""
    measured: bool
    """Whether a stage fed the term; if not, the low end of past runs or ignorance stands in."""
    weight: float
    """Weight in V, 0 to 1."""
    number: Number
    """Mean and 90 % interval of the term."""
    contribution: Number
    """Product of weight and term, the impact as log2(1 + impact): mean and 90 % interval."""


@dataclass(frozen=True)
class Value:
    """Value V with its terms and the HyperScore."""

    terms: tuple[Term, ...]
    """Terms that V adds up: those of the formula first."""
    draws: Floats
    """Draws of V [DRAWS], in [0, 1]."""
    hyperscore: HyperScore
    """Function from V to the HyperScore."""

    @property
    def value(self) -> Number:
        """Mean and 90 % interval of V."""
        return Number.of(self.draws)

    @property
    def score(self) -> Number:
        """Mean and 90 % interval of the HyperScore."""
        return Number.of(self.hyperscore(self.draws))


@dataclass(frozen=True)
class HyperScore:
    """HyperScore 100·[1 + σ(β·ln V + γ)^κ] (DLCC, section 2).

    Raises:
        OptionError: `beta` lies outside 4 to 6 and is not forced, `beta` or `kappa` is not above 0,
            or `gamma` is not finite.

    >>> import numpy as np
    >>> from dlcc.scoring import HyperScore
    >>> HyperScore()(np.array([0.0, 0.5, 0.95, 1.0])).round(1).tolist()
    [100.0, 100.0, 107.8, 111.1]
    """

    beta: float = 5.0
    """Steepness β: sensitivity to V, 4 to 6."""
    gamma: float = -math.log(2)
    """Shift γ: where σ has its middle."""
    kappa: float = 2.0
    """Exponent κ, above 0: a boost of high scores where it is above 1."""
    force: bool = False
    """Whether a `beta` outside 4 to 6 is taken, too."""

    def __post_init__(self) -> None:
        if not 4 <= self.beta <= 6 and not self.force:
            raise OptionError(
                f"HyperScore's beta is {self.beta:g}; expected 4 to 6 (force=True takes any)"
            )
        if not (self.beta > 0 and self.kappa > 0 and math.isfinite(self.gamma)):
            raise OptionError("HyperScore needs beta > 0, kappa > 0 and a finite gamma")

    def __call__(self, value: Floats) -> Floats:
        """Compute the scores [...] of values [...] in [0, 1]; 100 at V = 0, by continuity."""
        with np.errstate(divide="ignore", over="ignore"):
            exponent = self.beta * np.log(value) + self.gamma
            return np.asarray(100 * (1 + (1 / (1 + np.exp(-exponent))) ** self.kappa))

    @property
    def range(self) -> tuple[float, float]:
        """Scores at V = 0 and V = 1."""
        low, high = self(np.array([0.0, 1.0]))
        return float(low), float(high)


def terms_of_v(measured: Collection[str]) -> list[str]:
    """Names of the formula's terms, then of further terms that custom stages measured."""
    return [*SEED_TERMS, *sorted(set(measured) - set(SEED_TERMS))]


def weigh(names: list[str], prior: Mapping[str, float]) -> dict[str, float]:
    """Scale judged weights of the terms `names` to sum 1.

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
    """Fuse terms to V = Σ w·term, the impact as log2(1 + impact) (DLCC, section 2).

    Args:
        estimates: Term -> estimate of the measured terms, those beyond the formula's five included.
        weights: Term -> weight, at least 0. They need not sum to 1; a term without one weighs as
            much as the mean of the others.
        hyperscore: HyperScore with other parameters than the usual ones.
        imputed: Term -> estimate that stands in for a term of the formula that nobody measured.
            A term that is in neither is `Estimate.ignorance()`.

    Returns:
        V in [0, 1] as draws [DRAWS], with its terms and the HyperScore.

    >>> from dlcc.estimate import Estimate
    >>> from dlcc.scoring import ahp_weights, fuse
    >>> measured = {"logic": Estimate.obligations(134, 0), "impact": Estimate.normal(0.8, 0.05)}
    >>> value = fuse(measured, ahp_weights())
    >>> round(value.value.mean, 2), round(value.score.mean, 1)
    (0.7, 100.8)
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
    """Transform draws [...] of a term as V adds it up: the impact as log2(1 + impact)."""
    return np.log2(1 + draws) if name == "impact" else draws
