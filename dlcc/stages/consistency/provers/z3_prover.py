"""Proof by Z3, with exponentials and logarithms as unknowns that obey a few lemmas.

Each e^t becomes a positive unknown with e^t >= 1 + t; products of exponentials of sums are taken
apart; each logarithm becomes an unknown l with 1 - 1/u <= l <= u - 1 for its argument u; both grow
with their arguments. What Z3 finds unsatisfiable under these lemmas is proved; a model proves
nothing, since the lemmas do not say all, and numbers refute.
"""

from __future__ import annotations

import itertools
from typing import Any

import sympy as sp

from dlcc.stages.consistency.provers.statement import Domain, Statement

SECONDS = 5.0


def is_available() -> bool:
    """Tell whether z3-solver is installed (extra `prove`)."""
    import importlib.util

    return importlib.util.find_spec("z3") is not None


def prove(statement: Statement, seconds: float = SECONDS) -> bool:
    """Tell whether Z3 proves a statement, where all that it computes is defined.

    >>> from dlcc.stages.consistency.provers.statement import parse_statement
    >>> prove(parse_statement("a | x real, y real | x**2 + y**2 >= 2*x*y"))
    True
    """
    import z3

    try:
        translation = _Translation()
        difference = translation.term(_apart(statement.difference))
        goal = {
            "=": difference == 0,
            ">=": difference >= 0,
            "<=": difference <= 0,
            ">": difference > 0,
            "<": difference < 0,
        }[statement.relation]
        solver = z3.Solver()
        solver.set("timeout", int(1000 * seconds))
        for symbol, domain in statement.domains.items():
            solver.add(*_bounds(translation.term(symbol), domain))
        solver.add(*translation.lemmas(), z3.Not(goal))
        return bool(solver.check() == z3.unsat)
    except (_NotTranslatedError, z3.Z3Exception):
        return False


class _NotTranslatedError(Exception):
    """Expression that has no counterpart in Z3 here."""


def _apart(expression: sp.Expr) -> sp.Expr:
    """Write exponentials of sums as products, and fractions over one denominator."""
    return sp.together(sp.expand(expression, power_exp=True, log=False, mul=False, force=False))


class _Translation:
    """Translation of expressions to real arithmetic, which keeps the unknowns for exp and log."""

    def __init__(self) -> None:
        self._symbols: dict[sp.Symbol, Any] = {}
        self._exponentials: dict[sp.Expr, Any] = {}
        self._logarithms: dict[sp.Expr, Any] = {}
        self._roots: dict[sp.Expr, Any] = {}
        self._facts: list[Any] = []

    def term(self, e: sp.Expr) -> Any:
        """Translate an expression."""
        import z3

        if e.is_Rational:
            return z3.Q(int(e.p), int(e.q))
        if isinstance(e, sp.Symbol):
            return self._symbols.setdefault(e, z3.Real(e.name))
        if isinstance(e, sp.exp) or (isinstance(e, sp.Pow) and e.args[0] == sp.E):
            return self._exponential(e.args[-1])
        if isinstance(e, sp.log):
            return self._unknown(self._logarithms, e.args[0], "l")
        if isinstance(e, sp.Add | sp.Mul):
            terms = [self.term(a) for a in e.args]
            return z3.Sum(terms) if isinstance(e, sp.Add) else z3.Product(terms)
        if isinstance(e, sp.Max | sp.Min):
            return self._extreme(e)
        if isinstance(e, sp.Abs):
            inner = self.term(e.args[0])
            return z3.If(inner >= 0, inner, -inner)
        if isinstance(e, sp.Pow):
            return self._power(e)
        raise _NotTranslatedError(str(e.func))

    def lemmas(self) -> list[Any]:
        """Facts on the unknowns for exponentials, logarithms and roots."""
        found = list(self._facts)
        for argument, unknown in list(self._exponentials.items()):
            found += [unknown > 0, unknown >= 1 + self.term(argument)]
        for argument, unknown in list(self._logarithms.items()):
            inner = self.term(argument)
            found += [inner > 0, unknown <= inner - 1, unknown * inner >= inner - 1]
        for argument, unknown in list(self._roots.items()):
            found += [unknown >= 0, unknown * unknown == self.term(argument)]
        for table in (self._exponentials, self._logarithms):
            for (a, u), (b, v) in itertools.combinations(list(table.items()), 2):
                left, right = self.term(a), self.term(b)
                found += [(left < right) == (u < v), (left == right) == (u == v)]
        return found

    def _unknown(self, table: dict[sp.Expr, Any], argument: sp.Expr, letter: str) -> Any:
        import z3

        if argument not in table:
            table[argument] = z3.Real(f"{letter}{len(table)}!")
            self.term(argument)
        return table[argument]

    def _exponential(self, argument: sp.Expr) -> Any:
        """Unknown of e^t; that of e^(n t) is a power of it, so that they hang together."""
        factor, rest = argument.as_coeff_Mul()
        if factor.is_Rational and factor < 0:
            return 1 / self._exponential(-argument)
        if factor.is_Integer and factor > 1 and factor <= 8:
            base = self._exponential(rest)
            power = base
            for _ in range(int(factor) - 1):
                power = power * base
            return power
        return self._unknown(self._exponentials, argument, "e")

    def _extreme(self, e: sp.Expr) -> Any:
        import z3

        terms = [self.term(a) for a in e.args]
        found = terms[0]
        for term in terms[1:]:
            larger = term > found
            found = z3.If(larger if isinstance(e, sp.Max) else z3.Not(larger), term, found)
        return found

    def _power(self, e: sp.Pow) -> Any:
        base, exponent = e.args
        if exponent.is_Integer and abs(int(exponent)) <= 16:
            inner = self.term(base)
            power = inner
            for _ in range(abs(int(exponent)) - 1):
                power = power * inner
            if exponent < 0:
                self._facts.append(power != 0)  # shown by the side conditions
                return 1 / power
            return power
        if exponent == sp.Rational(1, 2):
            return self._unknown(self._roots, base, "r")
        raise _NotTranslatedError(f"the power {exponent}")


def _bounds(term: Any, domain: Domain) -> list[Any]:
    import z3

    found = []
    if domain.low is not None:
        low = z3.RealVal(repr(domain.low))
        found.append(term > low if domain.low_open else term >= low)
    if domain.high is not None:
        high = z3.RealVal(repr(domain.high))
        found.append(term < high if domain.high_open else term <= high)
    return found
