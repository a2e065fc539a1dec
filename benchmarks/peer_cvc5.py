"""Statements of the field by cvc5, the peer: what it proves alone, with exponentials of its own.

    pip install cvc5
    python benchmarks/peer_cvc5.py

Statements are those of `statements.py`, and further ones that our chain leaves open. A logarithm
is an unknown whose exponential is the argument. What cvc5 does not decide in five seconds is open.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cvc5
import sympy as sp
from common import write_result
from cvc5 import Kind

from dlcc.stages.consistency.provers.chain import decide
from dlcc.stages.consistency.provers.statement import Domain, Statement, parse_statements

FOLDER = Path(__file__).parent / "statements"
MILLISECONDS = 5_000
FURTHER = """
softplus_relu_log2 | x real | softplus(x) <= relu(x) + log(2)
x_log_x | x > 0 | x*log(x) >= -0.368
x_exp | x real | x*exp(-x) <= 0.368
softplus_convex | x real, y real | softplus((x+y)/2) <= (softplus(x)+softplus(y))/2
exp_cubic | x real | exp(x) >= 1 + x + x**2/2 + x**3/6
tanh_below | x real | abs(tanh(x)) <= abs(x)
entropy | p in (0, 1) | -p*log(p) - (1-p)*log(1-p) <= 0.6932
relu_below | x real | relu(x) <= softplus(x)
lipschitz | a real, b real | abs(softplus(a) - softplus(b)) <= abs(a - b)
log_ratio | x > 0 | log(1+x) >= x/(1+x)
"""
_RELATIONS = {"=": Kind.EQUAL, ">=": Kind.GEQ, "<=": Kind.LEQ, ">": Kind.GT, "<": Kind.LT}


class Translation:
    """Translation of a statement to terms of cvc5."""

    def __init__(self) -> None:
        self.manager = cvc5.TermManager()
        self.solver = cvc5.Solver(self.manager)
        self.solver.setLogic("ALL")
        self.solver.setOption("tlimit-per", str(MILLISECONDS))
        self._symbols: dict[sp.Symbol, Any] = {}
        self._made = 0

    def number(self, value: sp.Rational) -> Any:
        return self.manager.mkReal(int(value.p), int(value.q))

    def unknown(self) -> Any:
        self._made += 1
        return self.manager.mkConst(self.manager.getRealSort(), f"u{self._made}")

    def bound(self, kind: Kind, term: Any, value: float) -> None:
        number = self.number(sp.Rational(str(value)))
        self.solver.assertFormula(self.manager.mkTerm(kind, term, number))

    def term(self, e: sp.Expr) -> Any:
        """Translate an expression.

        Raises:
            NotImplementedError: It has no counterpart here.
        """
        make = self.manager.mkTerm
        if e.is_Rational or isinstance(e, sp.Float):
            return self.number(sp.Rational(str(e)))
        if isinstance(e, sp.Symbol):
            if e not in self._symbols:
                self._symbols[e] = self.manager.mkConst(self.manager.getRealSort(), e.name)
            return self._symbols[e]
        if isinstance(e, sp.exp) or (isinstance(e, sp.Pow) and e.args[0] == sp.E):
            return make(Kind.EXPONENTIAL, self.term(e.args[-1]))
        if isinstance(e, sp.log):
            logarithm = self.unknown()
            power = make(Kind.EXPONENTIAL, logarithm)
            self.solver.assertFormula(make(Kind.EQUAL, power, self.term(e.args[0])))
            return logarithm
        if isinstance(e, sp.Add | sp.Mul):
            kind = Kind.ADD if isinstance(e, sp.Add) else Kind.MULT
            return make(kind, *map(self.term, e.args))
        if isinstance(e, sp.Max | sp.Min):
            kind = Kind.GEQ if isinstance(e, sp.Max) else Kind.LEQ
            found, *others = map(self.term, e.args)
            for other in others:
                found = make(Kind.ITE, make(kind, found, other), found, other)
            return found
        if isinstance(e, sp.Abs):
            inner = self.term(e.args[0])
            positive = make(Kind.GEQ, inner, self.number(sp.Integer(0)))
            return make(Kind.ITE, positive, inner, make(Kind.NEG, inner))
        if isinstance(e, sp.Pow) and e.args[1].is_Integer:
            base = self.term(e.args[0])
            power = base
            for _ in range(abs(int(e.args[1])) - 1):
                power = make(Kind.MULT, power, base)
            one = self.number(sp.Integer(1))
            return power if e.args[1] > 0 else make(Kind.DIVISION, one, power)
        raise NotImplementedError(str(e.func))


def proves(statement: Statement) -> bool:
    """Tell whether cvc5 proves a statement in the time that it has."""
    translation = Translation()
    make = translation.manager.mkTerm
    try:
        difference = translation.term(statement.difference)
    except NotImplementedError:
        return False
    for symbol, domain in statement.domains.items():
        _bound(translation, translation.term(symbol), domain)
    zero = translation.number(sp.Integer(0))
    goal = make(_RELATIONS[statement.relation], difference, zero)
    translation.solver.assertFormula(make(Kind.NOT, goal))
    return bool(translation.solver.checkSat().isUnsat())


def _bound(translation: Translation, term: Any, domain: Domain) -> None:
    if domain.low is not None:
        translation.bound(Kind.GT if domain.low_open else Kind.GEQ, term, domain.low)
    if domain.high is not None:
        translation.bound(Kind.LT if domain.high_open else Kind.LEQ, term, domain.high)


def measured(statements: list[Statement]) -> dict[str, Any]:
    """Count what cvc5 and our chain prove, with their seconds."""
    began = time.perf_counter()
    mine = {s.name for s in statements if decide(s).verdict == "proved"}
    seconds = time.perf_counter() - began
    began = time.perf_counter()
    theirs = {s.name for s in statements if proves(s)}
    return {
        "statements": len(statements),
        "chain_proves": len(mine),
        "cvc5_proves": len(theirs),
        "cvc5_alone": sorted(theirs - mine),
        "seconds": {
            "chain": round(seconds, 1),
            "cvc5": round(time.perf_counter() - began, 1),
        },
    }


def main() -> None:
    """Measure each file of statements, and the further ones."""
    figures = {
        name: measured(parse_statements((FOLDER / f"{name}.txt").read_text(encoding="utf-8")))
        for name in ("true_first", "true_second", "false_first", "false_second")
    }
    figures["further"] = measured(parse_statements(FURTHER))
    for name, figure in figures.items():
        print(name, figure)
    write_result("peer_cvc5", {**figures, "cvc5": cvc5.__version__}, seeds={"points": 0})


if __name__ == "__main__":
    main()
