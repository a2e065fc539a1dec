"""Statements as Lean 4 source for Mathlib: exported, and checked by nobody here."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from dlcc.stages.consistency.provers.statement import Domain, Statement

_HEAD = """\
-- Written by dlcc; not checked. Put it into a project with Mathlib and run `lake build`.
import Mathlib

open Real

"""
_RELATIONS = {"=": "=", ">=": "≥", "<=": "≤", ">": ">", "<": "<"}


def lean_source(statements: Sequence[Statement]) -> str:
    """Write statements as theorems whose proofs are left to be found.

    >>> from dlcc.stages.consistency.provers.statement import parse_statement
    >>> print(lean_source([parse_statement("a | p in (0, 1] | p <= 1")]).splitlines()[-1])
      sorry
    """
    return _HEAD + "\n".join(_theorem(statement) for statement in statements)


def _theorem(statement: Statement) -> str:
    name = "".join(c if c.isalnum() else "_" for c in statement.name)
    variables = f" ({' '.join(s.name for s in statement.domains)} : ℝ)" if statement.domains else ""
    bounds = "".join(
        f" (h{k} : {bound})"
        for k, bound in enumerate(
            b for s, d in statement.domains.items() for b in _bounds(s.name, d)
        )
    )
    claim = f"{_term(statement.left)} {_RELATIONS[statement.relation]} {_term(statement.right)}"
    return f"theorem {name}{variables}{bounds} : {claim} := by\n  sorry\n"


def _term(e: sp.Expr) -> str:
    if e.is_Rational:
        number = f"{abs(e.p)}" if e.q == 1 else f"({abs(e.p)} / {e.q})"
        return f"({number} : ℝ)" if e.p >= 0 else f"(-{number} : ℝ)"
    if isinstance(e, sp.Symbol):
        return str(e.name)
    if isinstance(e, sp.exp) or (isinstance(e, sp.Pow) and e.args[0] == sp.E):
        return f"exp ({_term(e.args[-1])})"
    if isinstance(e, sp.log):
        return f"log ({_term(e.args[0])})"
    if isinstance(e, sp.Add | sp.Mul):
        return f"({(' + ' if isinstance(e, sp.Add) else ' * ').join(map(_term, e.args))})"
    if isinstance(e, sp.Max | sp.Min):
        name = "max" if isinstance(e, sp.Max) else "min"
        found = _term(e.args[0])
        for argument in e.args[1:]:
            found = f"{name} ({found}) ({_term(argument)})"
        return found
    if isinstance(e, sp.Abs):
        return f"|{_term(e.args[0])}|"
    if isinstance(e, sp.Pow):
        base, exponent = e.args
        if exponent.is_Integer:
            return f"({_term(base)}) ^ ({exponent} : ℤ)"
        return f"({_term(base)}) ^ ({_term(exponent)})"
    return f"({e})"


def _bounds(name: str, domain: Domain) -> list[str]:
    found = []
    if domain.low is not None:
        found.append(f"{sp.Rational(str(domain.low))} {'<' if domain.low_open else '≤'} {name}")
    if domain.high is not None:
        found.append(f"{name} {'<' if domain.high_open else '≤'} {sp.Rational(str(domain.high))}")
    return found
