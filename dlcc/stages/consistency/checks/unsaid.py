"""Wordings of a formula that leaves something unsaid: each is a formula that says it.

`log p(x|z)` does not say of what distribution, and BCE(x, x̂) not whether features are summed or
averaged. Each way to say it is tried; a formula is wrong only where what it says is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import sympy as sp

from dlcc.stages.consistency.formulas.symbols import (
    COUNTS,
    LENGTH,
    LIKELIHOOD,
    Distinct,
    EachPair,
    FeatureMean,
    FeatureSum,
    First,
    Mean,
    Norm,
    Norm1,
    OverFeatures,
    Second,
)

PRECISION = "precision"
"""Name of the precision of a likelihood, which is positive."""
WEIGHT = "weight of log p(x|z)"
"""Name of the factor of a likelihood, which is 1."""
SHIFT = "normaliser"
"""Name of the constant of a likelihood."""
_X, _MADE = sp.Symbol("x", real=True), sp.Symbol("hatx", real=True)
_SHIFT = sp.Symbol(SHIFT, real=True)


@dataclass(frozen=True)
class Wording:
    """Formula that says what another one leaves unsaid."""

    expression: sp.Expr
    """Formula."""
    said: str = ""
    """Words for what it says; empty where nothing was left unsaid."""
    exact: Mapping[str, float] = field(default_factory=dict)
    """Name of a constant that is free in it -> the value that it must have."""


def wordings(expression: sp.Expr) -> list[Wording]:
    """List the ways to say what a formula leaves unsaid, the formula alone where it says all.

    >>> [w.said for w in wordings(-LIKELIHOOD)][:2]
    ['p(x|z) normal', 'p(x|z) of Bernoulli']
    """
    found = [Wording(expression)]
    if expression.has(OverFeatures):
        found = [
            Wording(expression.replace(OverFeatures, over), words)
            for over, words in ((FeatureSum, "features summed"), (FeatureMean, "features averaged"))
        ]
    if expression.has(First) and expression.has(Mean):
        found = [
            replace(w, expression=_estimate(w.expression, own), said=_joined(w.said, words))
            for w in found
            for own, words in (
                (True, "biased estimate: pairs of a row with itself are in it"),
                (False, "unbiased estimate: no row is paired with itself"),
            )
        ]
    if expression.has(LIKELIHOOD):
        found = [
            Wording(w.expression.subs(LIKELIHOOD, likelihood), said, exact)
            for w in found
            for likelihood, said, exact in _likelihoods()
        ]
    return [*found, *_otherwise(found, _long), *_otherwise(found, _deviating)]


def _otherwise(
    found: list[Wording], mean: Callable[[sp.Expr], tuple[sp.Expr, str]]
) -> Iterator[Wording]:
    """Wordings by another meaning of a letter, where they have it."""
    for wording in found:
        meant, words = mean(wording.expression)
        if meant != wording.expression:
            yield replace(wording, expression=meant, said=_joined(wording.said, words))


def _long(expression: sp.Expr) -> tuple[sp.Expr, str]:
    """Take d, or what else counts latents, for the number of features of data."""
    length = sp.Symbol(LENGTH, real=True)
    counts = {s: length for s in expression.free_symbols if s.name in COUNTS}
    return expression.subs(counts), f"{', '.join(sorted(s.name for s in counts))} the length of x"


def _deviating(expression: sp.Expr) -> tuple[sp.Expr, str]:
    """Take σ beside an error of reconstruction for the decoder's, a constant."""
    own, decoders = sp.Symbol("sigma", real=True), sp.Symbol("sigma_x", real=True)
    terms = [
        term.subs(own, decoders) if term.has(Norm, Norm1) and {_X, _MADE} <= term.free_symbols
        else term
        for term in sp.Add.make_args(expression)
    ]  # fmt: skip
    return sp.Add(*terms), "σ the decoder's"


def _estimate(expression: sp.Expr, own: bool) -> sp.Expr:
    """Estimate of expectations over pairs, with or without pairs of a row with itself."""

    def estimated(e: sp.Expr) -> sp.Expr:
        same = {a.args[0] for a in e.atoms(First)} == {a.args[0] for a in e.atoms(Second)}
        return (Distinct if same and not own else EachPair)(e.args[0])

    whole: sp.Expr = expression.replace(lambda e: e.func == Mean and e.has(First), estimated)
    return whole


def _joined(*words: str) -> str:
    return ", ".join(filter(None, words))


def says_all(expression: sp.Expr) -> bool:
    """Tell whether a formula says of what distribution its likelihood is."""
    return not expression.has(LIKELIHOOD)


def _likelihoods() -> Iterator[tuple[sp.Expr, str, Mapping[str, float]]]:
    precision = sp.Symbol(PRECISION, real=True)
    bernoulli = FeatureSum(_X * sp.log(_MADE) + (1 - _X) * sp.log(1 - _MADE))
    yield -precision * Norm(_X - _MADE) ** 2, "p(x|z) normal", {}
    yield bernoulli, "p(x|z) of Bernoulli", {}
    yield -precision * Norm1(_X - _MADE), "p(x|z) of Laplace", {}
    yield -precision * Norm(_X - _MADE) ** 2 + _SHIFT, "p(x|z) normal", {}
    yield -precision * Norm1(_X - _MADE) + _SHIFT, "p(x|z) of Laplace", {}
    yield sp.Symbol(WEIGHT, real=True) * bernoulli, "p(x|z) of Bernoulli", {WEIGHT: 1.0}
