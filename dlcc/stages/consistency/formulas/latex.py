"""LaTeX of loss formulas to sympy: what is not known whole is refused.

It reads what papers on such losses write: sums and expectations over a batch, sums over the
features of a row, log, exp, σ, max, powers, fractions, norms, gradients, the divergence from the
prior, and the networks D and G applied to things. A formula is taken whole or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from dlcc.stages.consistency.formulas.latex_reader import Reader
from dlcc.stages.consistency.formulas.latex_sums import SIZE, BatchSum
from dlcc.stages.consistency.formulas.latex_tokens import (
    LONGEST,
    UnknownFormula,
    small_enough,
    tokens,
)
from dlcc.stages.consistency.formulas.symbols import Mean

_LOSS = re.compile(r"(?:L|J|V|ell|ELBO|MMD)(?![a-z])")
_BATCH = ("m", "n", "N", "B")  # what the size of a batch is called


@dataclass(frozen=True)
class Equation:
    """Equation `name = value`; `name` is the left side as it is written, without decoration."""

    name: str
    value: sp.Expr
    other_names: tuple[str, ...] = ()
    """Names of losses that stand between them, as in `L_D = L_adv = ...`."""


def parse_equation(latex: str) -> Equation:
    """Parse a formula `L_D = ...`.

    Raises:
        UnknownFormula: The text is no equation, or not understood.
    """
    if len(latex) > LONGEST:
        raise UnknownFormula(f"longer than {LONGEST:,} characters")
    left, *sides = split_at_equals(latex)
    if not sides:
        raise UnknownFormula("no equation")
    decorated = re.sub(r"\\(hat|tilde|bar)(?![a-zA-Z])", r"\1", left)
    name = re.sub(r"\\[a-zA-Z]+|[{}\s\\]", "", decorated)
    if not name:
        raise UnknownFormula("the left side has no name")
    return Equation(name, *_same(sides))


def _same(sides: Sequence[str]) -> tuple[sp.Expr, tuple[str, ...]]:
    """Parse what a name is said to equal, all sides of it: the last one, and names before it."""
    *before, value = [parse_expression(side.strip().rstrip(".,;")) for side in sides]
    names = tuple(side.name for side in before if isinstance(side, sp.Symbol))
    for side in before:
        if isinstance(side, sp.Symbol):
            if not _LOSS.match(side.name):
                raise UnknownFormula(f"a side that is {side.name} alone")
        elif sp.simplify(side - value) != 0:
            raise UnknownFormula("sides that are not seen to be equal")
    return value, names


def split_at_equals(latex: str) -> list[str]:
    """Cut at every = that stands outside of braces: `_{i=1}` is no equation."""
    sides, depth = [""], 0
    for character in latex:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "=" and depth == 0:
            sides.append("")
        else:
            sides[-1] += character
    return sides


def parse_expression(latex: str) -> sp.Expr:
    """Parse an expression; sums over the batch divided by its size become `Mean`."""
    reader = Reader(tokens(latex))
    value = small_enough(reader.expression(0))
    if reader.here is not None:
        raise UnknownFormula(f"{reader.here!r} was not expected")
    return _with_means(value)


def _with_means(value: sp.Expr) -> sp.Expr:
    """Turn BatchSum(e)/m into Mean(e); a sum that meets no size is so many times the mean."""
    named = {sp.Symbol(name, real=True): SIZE for name in _BATCH}
    meant = value.subs(named).replace(BatchSum, lambda e: SIZE * _mean(e))
    meant = sp.expand(meant)
    if meant.has(SIZE):
        meant = sp.expand(sp.cancel(meant))
    return meant


def _mean(value: sp.Expr) -> sp.Expr:
    """Mean of an expression, the size of the batch in front of it."""
    if not value.has(SIZE):
        return Mean(value)
    total = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(value)):
        sizes, rest = term.as_independent(*(term.free_symbols - {SIZE}))
        total += sizes * Mean(rest)
    return total
