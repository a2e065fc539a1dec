"""Statements about losses of one sample, in D(x) and D(G(z)), given to the provers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import sympy as sp

from dlcc.stages.consistency.checks.symbolic_loss import FAKE, REAL
from dlcc.stages.consistency.formulas.symbols import Mean
from dlcc.stages.consistency.provers.chain import decide
from dlcc.stages.consistency.provers.statement import Domain, Statement

Relation = Literal["= 0", ">= 0", "<= 0"]


@dataclass(frozen=True)
class Proof:
    """Outcome of a statement: proved, refuted or unknown."""

    verdict: Literal["proved", "refuted", "unknown"]
    method: str
    counterexample: str | None = None


def per_sample(expression: sp.Expr) -> sp.Expr | None:
    """Take the expression under the means of a sum of means and constants; None for any other.

    Means over the same batch add up, so that equality under one mean is enough; a mean inside
    something that is not linear cannot be dropped.
    """
    rest = sp.expand(expression)
    total = sp.Integer(0)
    for term in sp.Add.make_args(rest):
        means = [a for a in sp.Mul.make_args(term) if isinstance(a, sp.Function(Mean.__name__))]
        factor = sp.Mul(*(a for a in sp.Mul.make_args(term) if a not in means))
        if len(means) > 1 or factor.has(Mean) or factor.free_symbols & {REAL, FAKE}:
            return None
        total += factor * means[0].args[0] if means else factor
    return total


def prove(expression: sp.Expr, relation: Relation) -> Proof:
    """Prove or refute that `expression relation` holds at all real r and f."""
    unknown = expression.free_symbols - {REAL, FAKE}
    if unknown or expression.atoms(sp.core.function.AppliedUndef):
        return Proof("unknown", "free symbols")
    domains = {symbol: Domain() for symbol in (REAL, FAKE) if expression.has(symbol)}
    sign = relation.removesuffix(" 0")
    decision = decide(Statement("", expression, sign, sp.Integer(0), domains), ["sympy"])
    if decision.verdict == "refuted":
        point = decision.reason.replace("r = ", "D(x) = ").replace("f = ", "D(G(z)) = ")
        return Proof("refuted", "evaluated at points, 60 digits", point)
    return Proof(decision.verdict, decision.method or decision.reason)
