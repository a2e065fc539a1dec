"""Operators, numbers and symbols of formulas and of code, in the same words."""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dlcc.records import Function
from dlcc.stages.decomposition.terms import TABLE

_LATEX = tuple((name, re.compile(pattern)) for name, pattern in TABLE["operators_in_latex"])
_IN_CODE: Mapping[str, str] = TABLE["operators_in_code"]
_NAMES = re.compile(
    r"\\(?:text|mathrm|operatorname|mathit|textrm|textbf|mathbf|texttt|mathtt|textit|textsf|mathsf|mathcal|bm)\*?\s*\{([^{}]*)\}"
)
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?")
_PLAIN = frozenset((0.0, 1.0, 2.0, -1.0))
_STRUCTURE = frozenset(TABLE["latex_that_only_arranges"].split())


@dataclass(frozen=True)
class Signs:
    """Signs that a formula or a piece of code is made of."""

    operators: frozenset[str]
    numbers: frozenset[float]
    symbols: frozenset[str]
    """Letters of a formula by name, or the words of a code's identifiers."""
    names: str
    """Words that a formula is written with."""


def signs_of_latex(latex: str) -> Signs:
    """Read what a formula is made of.

    >>> found = signs_of_latex(r"R = 0.5 \\log(\\sigma^2) + \\text{rest}")
    >>> sorted(found.operators), found.numbers, sorted(found.symbols), found.names
    (['log', 'square'], frozenset({0.5}), ['r', 'sigma'], 'rest')
    """
    found = {name for name, pattern in _LATEX if pattern.search(latex)}
    halves = {0.5} if re.search(r"\\frac\{?\s*1\s*\}?\s*\{?\s*2\s*\}?|1/2", latex) else set()
    numbers = {float(n) for n in _NUMBER.findall(latex)} - _PLAIN | halves
    names = [m[1] for m in _NAMES.finditer(latex)]
    bare = _NAMES.sub(" ", latex)
    commands = set(_COMMAND.findall(bare))
    letters = set(re.findall(r"(?<![A-Za-z])[A-Za-z](?![A-Za-z])", _COMMAND.sub(" ", bare)))
    symbols = {s.lower() for s in (commands - _STRUCTURE) | letters}
    names += re.findall(r"[A-Za-z]{2,}", _COMMAND.sub(" ", bare))
    return Signs(frozenset(found), frozenset(numbers), frozenset(symbols), " ".join(names))


def signs_of_code(function: Function) -> Signs:
    """Read what a function is made of, by its syntax tree."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes in texts
            tree = ast.parse(textwrap.dedent(function.text))
    except (SyntaxError, ValueError, RecursionError):
        return Signs(frozenset(), frozenset(), frozenset(), "")
    operators: set[str] = set()
    numbers: set[float] = set()
    for node in ast.walk(tree):
        operators.update(_operators(node))
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            numbers.add(float(node.value))
    identifiers = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    identifiers |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    identifiers |= {*function.parameters} - {"self"}
    words = {part.lower() for name in identifiers for part in name.strip("_").split("_")}
    words |= {re.sub(r"\d+$", "", word) for word in words}
    return Signs(frozenset(operators), frozenset(numbers - _PLAIN), frozenset(words - {""}), "")


def _operators(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        name = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        yield from _IN_CODE.get(name, "").split()
    elif isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield "transpose"
    elif isinstance(node, ast.Attribute) and node.attr == "pi":
        yield "pi"
    elif isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Div):
            yield "divide"
        elif isinstance(node.op, ast.Mult):
            yield "times"
        elif isinstance(node.op, ast.MatMult):
            yield from ("times", "sum")
        elif isinstance(node.op, ast.Pow):
            value = getattr(node.right, "value", None)
            yield (
                {2: "square", 0.5: "sqrt"}.get(value, "power")
                if isinstance(value, int | float)
                else "power"
            )
    elif isinstance(node, ast.Compare) and any(
        isinstance(o, ast.Lt | ast.Gt | ast.LtE | ast.GtE) for o in node.ops
    ):
        yield "compare"
