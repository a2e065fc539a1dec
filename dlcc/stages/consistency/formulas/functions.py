"""Functions that a document defines itself, such as a kernel k(a, b), put into its formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sympy as sp

from dlcc.stages.consistency.formulas.latex import Equation
from dlcc.stages.consistency.formulas.symbols import (
    Distinct,
    EachPair,
    First,
    Mean,
    Second,
    is_application,
)

_HEAD = re.compile(r"([A-Za-z]\w*)\((.+)\)")
_KERNEL = re.compile(r"[kK](?:_\w+)?|kappa(?:_\w+)?|kernel")
_ROW = re.compile(r"_[ijkntbml]'?$")
_DEEPEST = 3


@dataclass(frozen=True)
class Definition:
    """Function that an equation defines, such as `k(a, b) = exp(-||a - b||^2)`."""

    name: str
    """Name of the function."""
    parameters: tuple[sp.Symbol, ...]
    """Names of what it is written to be of."""
    value: sp.Expr
    """Right side."""

    @property
    def is_kernel(self) -> bool:
        """Whether it compares two draws that have nothing to do with each other, each row of one
        with each row of the other."""
        return len(self.parameters) == 2 and _KERNEL.fullmatch(self.name) is not None

    def of(self, arguments: tuple[sp.Expr, ...]) -> sp.Expr:
        """Put arguments in."""
        given = list(arguments)
        if self.is_kernel:
            given = [side(_unprimed(a)) for side, a in zip((First, Second), given, strict=True)]
        pairs = dict(zip(self.parameters, given, strict=True))
        return self.value.subs(pairs, simultaneous=True)


def definitions(equations: Iterable[Equation]) -> dict[str, Definition]:
    """Find the functions that equations define; one that is defined twice is left out.

    >>> from dlcc.stages.consistency.formulas.latex import parse_equation
    >>> definitions([parse_equation(r"k(a, b) = (a - b)^2")])["k"].parameters
    (a, b)
    """
    found: dict[str, list[Definition]] = {}
    for equation in equations:
        head = _HEAD.fullmatch(equation.name)
        if head is None:
            continue
        names = [_symbol(text) for text in re.split(r"[,;|]", head[2])]
        if len(set(names)) == len(names):
            found.setdefault(head[1], []).append(Definition(head[1], tuple(names), equation.value))
    return {name: same[0] for name, same in found.items() if len(same) == 1}


def with_functions(value: sp.Expr, known: Mapping[str, Definition]) -> sp.Expr:
    """Put in the functions that a document defines; means over pairs of rows are marked as such.

    >>> from dlcc.stages.consistency.formulas.latex import parse_equation
    >>> known = definitions([parse_equation("k(a, b) = a b")])
    >>> with_functions(parse_equation("L = E[k(x, x')]").value, known)
    Mean(First(x)*Second(x))
    """
    for _ in range(_DEEPEST):
        applied = {
            e: known[e.func.__name__].of(e.args)
            for e in value.atoms(sp.Function)
            if is_application(e) and _fits(e, known)
        }
        if not applied:
            break
        value = value.xreplace(applied)
    return _over_pairs(value) if value.has(First) else value


def _fits(e: sp.Expr, known: Mapping[str, Definition]) -> bool:
    name = e.func.__name__
    return name in known and len(known[name].parameters) == len(e.args)


def _over_pairs(value: sp.Expr) -> sp.Expr:
    """Split means of sums, and say which are of pairs that a formula sums up one by one."""
    whole = value.replace(
        lambda e: e.func in (Mean, EachPair, Distinct),
        lambda e: sp.Add(*(_drawn_out(e.func, t) for t in _summands(e.args[0]))),
    )
    return whole.replace(
        lambda e: e.func == Mean and e.args[0].func == Mean and e.has(First),
        lambda e: EachPair(e.args[0].args[0]),
    )


def _summands(e: sp.Expr) -> tuple[sp.Expr, ...]:
    whole = e.expand(
        deep=False, multinomial=False, power_base=False, power_exp=False, log=False, basic=False
    )
    summands: tuple[sp.Expr, ...] = sp.Add.make_args(whole)
    return summands


def _drawn_out(mean: sp.Expr, term: sp.Expr) -> sp.Expr:
    factor, rest = term.as_coeff_Mul()
    return factor * mean(rest)


def _symbol(text: str) -> sp.Symbol:
    """Symbol of a parameter, as the reader of formulas calls it."""
    primes = text.count("'")
    return sp.Symbol("prime" * primes + _ROW.sub("", text.replace("'", "")), real=True)


def _unprimed(e: sp.Expr) -> sp.Expr:
    """Take off the marks of a second draw: x' is drawn as x is."""
    return e.xreplace(
        {
            s: sp.Symbol(s.name.replace("prime", ""), real=True)
            for s in e.free_symbols
            if s.name.startswith("prime")
        }
    )
