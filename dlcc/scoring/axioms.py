"""Axioms that every score must satisfy, checked anew for each report.

Some hold for all values of the terms: sympy proves them for the report's own weights
(`dlcc.scoring.proofs`). The others are about the report's own numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dlcc.scoring.calibration import Probability
from dlcc.scoring.correction import LEAST_COVERAGE, too_narrow
from dlcc.scoring.fusion import Score
from dlcc.scoring.proofs import prove
from dlcc.scoring.value import as_it_enters

By = Literal["sympy", "interval", "arithmetic"]
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Axiom:
    """Statement about a score, and whether it holds."""

    id: str
    """Short name, such as `simplex`."""
    statement: str
    """Statement in one sentence."""
    holds: bool
    """Whether the statement holds for the score that was checked."""
    by: By
    """Method that decided the statement: a proof, the draws' intervals, or plain arithmetic."""
    where: str | None = None
    """Place and size of the violation, in words; None where the axiom holds."""


def check_axioms(
    score: Score, probability: Probability | None, label: str | None, disagreement: bool
) -> tuple[Axiom, ...]:
    """Check all axioms of a score and a probability that belong to one run.

    Args:
        score: V with its terms, weights and correction.
        probability: P(healthy and true); None without a health stage.
        label: Label of the verdict; None where there is none.
        disagreement: Whether the report says that label and probability point different ways.

    Returns:
        Every axiom, those of the probability last; these are left out without a probability.
    """
    made = list(_of_score(score))
    if probability is not None:
        made += _of_probability(probability, label, disagreement)
    return tuple(made)


def _of_score(score: Score) -> Iterator[Axiom]:
    """Check the axioms of V and the HyperScore."""
    yield _axiom(
        "simplex", "The weights are at least 0 and sum to 1.", "arithmetic", _not_a_simplex(score)
    )
    for proof in prove({t.name: t.weight for t in score.value.terms}, score.value.hyperscore):
        yield Axiom(proof.id, proof.statement, proof.where is None, "sympy", proof.where)
    yield _axiom("sum", "V is the sum of its terms' contributions.", "arithmetic", _no_sum(score))
    yield _axiom(
        "range",
        "Every draw of V lies in [0, 1], and of the HyperScore in its range.",
        "interval",
        _out_of_range(score),
    )
    yield _axiom(
        "centred",
        "The mean of every term and of V lies in its 90 % interval.",
        "interval",
        ", ".join(too_narrow(score.value)),
    )
    yield _axiom(
        "kept",
        "V is no surer than the least sure contribution to it.",
        "interval",
        _surer_than_its_parts(score),
    )
    yield _axiom(
        "absence",
        "A term that nobody measured counts for less than it usually is.",
        "arithmetic",
        _absence_pays(score),
    )
    yield _axiom(
        "coverage",
        "What impact let one expect of past runs came on average (in "
        f"{100 * LEAST_COVERAGE:.0f} % of groups at least), or it was widened.",
        "arithmetic",
        _not_widened(score),
    )


def _of_probability(
    probability: Probability, label: str | None, disagreement: bool
) -> Iterator[Axiom]:
    """Check the axioms of P(healthy and true), and of the label beside it."""
    yield _axiom(
        "conjunction",
        "P(healthy and true) exceeds neither of the two.",
        "arithmetic",
        _no_conjunction(probability),
    )
    yield _axiom(
        "agreement",
        "Verdict and P(healthy) agree, or the report says that they do not.",
        "arithmetic",
        _contradiction(probability, label, disagreement),
    )


def _axiom(name: str, statement: str, by: By, where: str) -> Axiom:
    return Axiom(name, statement, not where, by, where or None)


def _not_a_simplex(score: Score) -> str:
    weights = {t.name: t.weight for t in score.value.terms}
    negative = [f"{name} {w:g}" for name, w in weights.items() if not w >= 0]
    total = sum(weights.values())
    return ", ".join(negative) or ("" if abs(total - 1) < _ROUNDING else f"they sum to {total:g}")


def _no_sum(score: Score) -> str:
    parts = sum(term.contribution.mean for term in score.value.terms)
    whole = score.value.value.mean
    return "" if abs(parts - whole) < _ROUNDING else f"the parts come to {parts:g}, V is {whole:g}"


def _out_of_range(score: Score) -> str:
    value = score.value
    low, high = value.hyperscore.range
    scores = value.hyperscore(value.draws)
    found = []
    if value.draws.min() < -_ROUNDING or value.draws.max() > 1 + _ROUNDING:
        found.append(f"V from {value.draws.min():g} to {value.draws.max():g}")
    if scores.min() < low - _ROUNDING or scores.max() > high + _ROUNDING:
        found.append(f"HyperScore from {scores.min():g} to {scores.max():g}")
    return ", ".join(found)


def _surer_than_its_parts(score: Score) -> str:
    """Name the terms whose spread is wider than V's.

    Terms are drawn independently, so that no spread can cancel another (but for chance).
    """
    whole = float(score.value.draws.std())
    surer = []
    for term in score.value.terms:
        sd = term.weight * float(as_it_enters(term.name, term.estimate.sample(term.name)).std())
        if sd > 1.1 * whole + _ROUNDING:
            surer.append(f"{term.name} ({sd:.3f}, V {whole:.3f})")
    return ", ".join(surer)


def _absence_pays(score: Score) -> str:
    return ", ".join(
        name
        for name, imputed in score.imputed.items()
        if float(imputed.estimate.quantile(np.array([0.5]))[0]) > imputed.usual + _ROUNDING
    )


def _not_widened(score: Score) -> str:
    coverage = score.correction.coverage
    if coverage is None or coverage.factor <= 1:
        return ""
    done = score.correction.factors.get("impact", 1.0)
    return "" if done >= coverage.factor - _ROUNDING else f"widened by {done:g} only"


def _no_conjunction(probability: Probability) -> str:
    both, least = probability.both, np.minimum(probability.healthy, probability.true)
    return "" if np.all(both <= least + _ROUNDING) else f"by up to {float((both - least).max()):g}"


def _contradiction(probability: Probability, label: str | None, said: bool) -> str:
    p = float(probability.both.mean())
    if label is None or said or (label == "healthy") == (p >= 0.5):
        return ""
    return f"the verdict is {label}, P(healthy) {100 * p:.0f} %"
