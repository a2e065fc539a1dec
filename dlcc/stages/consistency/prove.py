"""Prover of statements about losses of one sample: proved, refuted by a counterexample, or unknown.

Random numbers come first, and refuted beats proved: nothing is handed to the algebra that a number
contradicts. The algebra runs on e^r and e^f as positive unknowns, where every loss of the field is
rational or a logarithm of something rational; it is bounded by its steps, not by the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import mpmath
import numpy as np
import sympy as sp

from dlcc.stages.consistency.latex import Mean
from dlcc.stages.consistency.symbolic_loss import FAKE, REAL

Relation = Literal["= 0", ">= 0", "<= 0"]
_POINTS = 60
_DIGITS = 30
_CORNERS = ([0, 0], [1, 0], [0, 1], [-1, 1], [1, -1])
_ZERO = mpmath.mpf(10) ** -20
_EXP = {REAL: sp.Symbol("R", positive=True), FAKE: sp.Symbol("F", positive=True)}


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
    refutation = _refute(expression, relation)
    if refutation is not None:
        return Proof("refuted", "evaluated at random points, 30 digits", refutation)
    if all(_holds(case, relation) for case in _cases(expression)):
        return Proof("proved", "sympy")
    return Proof("unknown", f"no counterexample at {_POINTS} points, no proof")


def _refute(expression: sp.Expr, relation: Relation) -> str | None:
    rng = np.random.default_rng(0)
    points = [*rng.normal(0, 4, (_POINTS, 2)).tolist(), *_CORNERS]
    with mpmath.workdps(_DIGITS):
        function = sp.lambdify((REAL, FAKE), expression, "mpmath")
        for r, f in points:
            r, f = round(r, 3), round(f, 3)
            value = function(mpmath.mpf(str(r)), mpmath.mpf(str(f)))
            if isinstance(value, mpmath.mpc) or not mpmath.isfinite(value):
                return f"at D(x) = {r:g}, D(G(z)) = {f:g} it is not a finite real number"
            if _violates(value, relation):
                return f"at D(x) = {r:g}, D(G(z)) = {f:g} the difference is {float(value):.6g}"
    return None


def _violates(value: mpmath.mpf, relation: Relation) -> bool:
    if relation == "= 0":
        return bool(abs(value) > _ZERO)
    return bool(value < -_ZERO) if relation == ">= 0" else bool(value > _ZERO)


def _holds(expression: sp.Expr, relation: Relation) -> bool:
    sides = (_as_rational(expression), sp.simplify(_as_rational(expression)))
    if relation == "= 0":
        return any(side == 0 for side in sides)
    if relation == "<= 0":
        return _holds(-expression, ">= 0")
    return _adds_up(expression) or any(_is_nonnegative(side) for side in sides)


def _is_nonnegative(expression: sp.Expr) -> bool:
    return bool(expression.is_nonnegative or sp.factor(expression).is_nonnegative)


def _adds_up(expression: sp.Expr) -> bool:
    """Whether the terms in r, those in f and those in both are each non-negative together."""
    groups: dict[frozenset[sp.Symbol], sp.Expr] = {}
    for term in sp.Add.make_args(expression):
        symbols = frozenset(term.free_symbols)
        groups[symbols] = groups.get(symbols, sp.Integer(0)) + term
    constant = groups.pop(frozenset(), sp.Integer(0))
    return any(
        all(_is_nonnegative(value + (constant if i == k else 0)) for i, value in enumerate(parts))
        for parts in [list(groups.values())]
        for k in range(max(1, len(parts)))
    )


def _as_rational(expression: sp.Expr) -> sp.Expr:
    """Rewrite an expression in e^r and e^f, positive unknowns, with logarithms of fractions taken
    apart."""
    logs = {symbol: sp.log(unknown) for symbol, unknown in _EXP.items()}
    together = expression.subs(logs).replace(
        lambda e: isinstance(e, sp.log), lambda e: sp.log(sp.factor(sp.together(e.args[0])))
    )
    return sp.together(sp.expand(sp.expand_log(together)))


def _cases(expression: sp.Expr) -> Iterator[sp.Expr]:
    """List every way in which the maxima and absolute values of an expression can be resolved.

    A statement that holds in each case without the case's condition holds.
    """
    split = sorted(expression.atoms(sp.Max, sp.Abs, sp.Heaviside), key=str)
    if not split or expression.is_nonnegative:  # a sum of maxima with 0 needs no cases
        yield expression
        return
    if sp.simplify(expression) == 0:
        yield sp.Integer(0)
        return
    first = split[0]
    if isinstance(first, sp.Max):
        choices: tuple[sp.Expr, ...] = first.args
    elif isinstance(first, sp.Abs):
        choices = (first.args[0], -first.args[0])
    else:
        choices = (sp.Integer(0), sp.Integer(1))
    for choice in choices:
        yield from _cases(expression.subs(first, choice))
