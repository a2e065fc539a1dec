"""Proofs of statements that hold for all values of the terms, on the report's own weights.

The symbols are those of the paper's self-evaluation, (π·i·△·⋄·∞): logic, impact, reproducibility,
meta and novelty (DLCC, section 2, module 4). V and the HyperScore are written down in them, and
sympy is asked for the signs of their derivatives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from dlcc.cache import kept
from dlcc.scoring.value import HyperScore

SYMBOLS = {"logic": "π", "novelty": "∞", "impact": "i", "reproducibility": "Δ", "meta": "⋄"}
_ROUNDING = Fraction(1, 10**12)  # weights are floats: they sum to 1 but for their last bits


@dataclass(frozen=True)
class Proof:
    """Statement that sympy decided."""

    id: str
    """Short name, such as `monotone`."""
    statement: str
    """Statement in one sentence."""
    where: str | None
    """Place where the statement fails, in words; None where it was proved."""


def prove(weights: Mapping[str, float], hyperscore: HyperScore) -> list[Proof]:
    """Prove that V is monotone in each term and in [0, 1], and the HyperScore monotone in V.

    Proofs are kept in the cache: weights are the same for all runs until a library or a judgement
    changes, and sympy is slow to import.
    """
    of = json.dumps([list(weights.items()), asdict(hyperscore)]).encode()
    proofs = kept("scores", "proofs", of, lambda: _proved(weights, hyperscore))
    return [Proof(**proof) for proof in proofs]


def _proved(weights: Mapping[str, float], hyperscore: HyperScore) -> list[dict[str, Any]]:
    made = [_monotone(weights), _bounded(weights), _hyperscore_monotone(hyperscore)]
    return [asdict(proof) for proof in made]


def value_of(weights: Mapping[str, float]) -> tuple[Any, dict[str, Any]]:
    """Write V as an expression; returns it with the symbol, at least 0, of each term."""
    import sympy

    symbols = {n: sympy.Symbol(SYMBOLS.get(n, n), nonnegative=True) for n in weights}
    parts = {n: sympy.log(1 + s) / sympy.log(2) if n == "impact" else s for n, s in symbols.items()}
    exact = {n: sympy.Rational(*Fraction(w).as_integer_ratio()) for n, w in weights.items()}
    return sympy.Add(*(exact[n] * parts[n] for n in weights)), symbols


def hyperscore_of(hyperscore: HyperScore) -> tuple[Any, Any]:
    """Write the HyperScore as an expression; returns it with its symbol V, positive."""
    import sympy

    beta, gamma, kappa = (
        sympy.Rational(*Fraction(x).as_integer_ratio())
        for x in (hyperscore.beta, hyperscore.gamma, hyperscore.kappa)
    )
    v = sympy.Symbol("V", positive=True)
    # exp(-(β·ln V + γ)) written as V**(-β)·exp(-γ): a sign that sympy can see
    sigma = 1 / (1 + v**-beta * sympy.exp(-gamma))
    return 100 * (1 + sigma**kappa), v


def _monotone(weights: Mapping[str, float]) -> Proof:
    value, symbols = value_of(weights)
    wrong = [n for n, s in symbols.items() if value.diff(s).is_nonnegative is not True]
    return Proof(
        "monotone",
        "More of any term never lowers V: ∂V/∂t ≥ 0 for π, ∞, i, Δ, ⋄ and all others.",
        ", ".join(wrong) or None,
    )


def _bounded(weights: Mapping[str, float]) -> Proof:
    """Prove that V lies in [0, 1] at all corners of the terms' cube.

    V is a sum of functions of one term each, so that its extremes over the corners are sums too.
    """
    value, symbols = value_of(weights)
    low = high = value.subs(dict.fromkeys(symbols.values(), 0))
    for symbol in symbols.values():
        others = dict.fromkeys((s for s in symbols.values() if s != symbol), 0)
        gain = value.subs({symbol: 1, **others}) - value.subs({symbol: 0, **others})
        low, high = (low + gain, high) if gain.is_negative else (low, high + gain)
    slack = Fraction(_ROUNDING)
    inside = bool(low >= -slack) and bool(high <= 1 + slack)
    where = None if inside else f"V reaches from {float(low):g} to {float(high):g}"
    return Proof("bounded", "V lies in [0, 1] at all corners of the terms' cube.", where)


def _hyperscore_monotone(hyperscore: HyperScore) -> Proof:
    score, v = hyperscore_of(hyperscore)
    proved = score.diff(v).is_positive is True
    where = None if proved else f"beta {hyperscore.beta:g}, kappa {hyperscore.kappa:g}"
    return Proof(
        "hyperscore", "The HyperScore grows with V: its derivative is positive for V > 0.", where
    )
