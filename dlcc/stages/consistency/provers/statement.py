"""Statements about real functions: what is claimed, and for which values of its variables."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sympy as sp

from dlcc.errors import OptionError
from dlcc.stages.consistency.formulas.latex_tokens import UnknownFormula, small_enough

RELATIONS = ("=", ">=", "<=", ">", "<")
"""Relations that a statement may claim."""
_LONGEST, _DEEPEST, _LARGEST_POWER, _LARGEST_LOG = 2_000, 60, 64, 700
_RELATION = re.compile(r"(>=|<=|==|=|>|<)")
_INTERVAL = re.compile(r"(\w+)\s+in\s+([\[(])\s*([^,\s]+)\s*,\s*([^,\s]+)\s*([\])])")
_BOUND = re.compile(r"(\w+)\s*(>=|>|<=|<)\s*([-+.\deE]+)")


@dataclass(frozen=True)
class Domain:
    """Interval of real numbers that a variable is in."""

    low: float | None = None
    """Lower end; None for none."""
    high: float | None = None
    """Upper end; None for none."""
    low_open: bool = True
    """Whether the lower end is left out."""
    high_open: bool = True
    """Whether the upper end is left out."""

    @property
    def words(self) -> str:
        """Domain as one writes it, such as `(0, 1]`."""
        low = "-oo" if self.low is None else f"{self.low:g}"
        high = "oo" if self.high is None else f"{self.high:g}"
        return f"{'(' if self.low_open else '['}{low}, {high}{')' if self.high_open else ']'}"


Condition = tuple[sp.Expr, str]
"""Expression, and `>`, `>=` or `!=` for its relation with 0."""


@dataclass(frozen=True)
class Statement:
    """Claim that a relation holds for all values of its variables."""

    name: str
    """Name."""
    left: sp.Expr
    """Left side."""
    relation: str
    """Relation: `=`, `>=`, `<=`, `>` or `<`."""
    right: sp.Expr
    """Right side."""
    domains: Mapping[sp.Symbol, Domain]
    """Variable -> its domain."""
    conditions: tuple[Condition, ...] = ()
    """Conditions under which the sides are defined as they were written, before algebra made them
    simpler: pairs of an expression and its relation with 0."""

    @property
    def difference(self) -> sp.Expr:
        """Left side less right side."""
        return self.left - self.right

    @property
    def words(self) -> str:
        """Statement as one writes it."""
        variables = ", ".join(f"{s} in {d.words}" for s, d in self.domains.items())
        return f"{self.left} {self.relation} {self.right} for {variables or 'no variable'}"


def parse_statement(text: str) -> Statement:
    """Read a statement `NAME | VARIABLES | LEFT RELATION RIGHT`.

    Variables are `x real`, `x > 0`, `p in (0, 1)`, with commas between. Functions are exp, log,
    sqrt, abs, tanh, sigmoid, softplus, relu, max, min and diff(expression, variable).

    Raises:
        OptionError: The text is no such statement.

    >>> found = parse_statement("floor | x real | softplus(x) >= relu(x)")
    >>> found.relation, found.words
    ('>=', 'log(exp(x) + 1) >= Max(0, x) for x in (-oo, oo)')
    """
    parts = [part.strip() for part in text.split("|")]
    if len(parts) != 3 or not parts[0] or len(text) > _LONGEST:
        raise OptionError(f"{text[:80]!r}: expected NAME | VARIABLES | LEFT RELATION RIGHT")
    name, variables, claim = parts
    domains = _domains(variables, name)
    sides = _RELATION.split(claim)
    if len(sides) != 3 or not (sides[0].strip() and sides[2].strip()):
        expected = f"one of {', '.join(RELATIONS)} between two sides"
        raise OptionError(f"{name}: expected {expected}, found {claim[:80]!r}")
    reader = _Reader({symbol.name: symbol for symbol in domains}, name)
    left, right = reader.read(sides[0]), reader.read(sides[2])
    relation = sides[1].replace("==", "=")
    return Statement(name, left, relation, right, domains, tuple(reader.conditions))


def parse_statements(text: str) -> list[Statement]:
    """Read statements, one a line; empty lines and what follows a # are left out.

    Raises:
        OptionError: A line is no statement, or a name comes twice.
    """
    found: dict[str, Statement] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.partition("#")[0].strip()
        if not bare:
            continue
        try:
            statement = parse_statement(bare)
        except OptionError as error:
            raise OptionError(f"line {number}: {error}") from None
        if statement.name in found:
            raise OptionError(f"line {number}: {statement.name} is there already; name it anew")
        found[statement.name] = statement
    return list(found.values())


def _domains(text: str, name: str) -> dict[sp.Symbol, Domain]:
    found: dict[sp.Symbol, Domain] = {}
    rest = text
    for match in _INTERVAL.finditer(text):
        low = None if match[3] == "-oo" else _number(match[3], name)
        high = None if match[4] in ("oo", "+oo") else _number(match[4], name)
        domain = Domain(low, high, match[2] == "(", match[5] == ")")
        if low is not None and high is not None and not low < high:
            raise OptionError(f"{name}: {match[0]} is empty")
        _add(found, match[1], domain, name)
        rest = rest.replace(match[0], "")
    for part in filter(None, (piece.strip() for piece in rest.split(","))):
        words = part.split()
        if len(words) == 2 and words[1] == "real":
            _add(found, words[0], Domain(), name)
            continue
        bound = _BOUND.fullmatch(part)
        if bound is None:
            raise OptionError(f"{name}: {part!r}: expected x real, x > 0 or x in (0, 1)")
        end, is_open = _number(bound[3], name), "=" not in bound[2]
        domain = (
            Domain(low=end, low_open=is_open)
            if ">" in bound[2]
            else Domain(high=end, high_open=is_open)
        )
        _add(found, bound[1], domain, name)
    return found


def _add(found: dict[sp.Symbol, Domain], variable: str, domain: Domain, name: str) -> None:
    """Enter a variable, which may be bounded once."""
    if any(symbol.name == variable for symbol in found):
        raise OptionError(f"{name}: {variable} is there twice; write {variable} in (LOW, HIGH)")
    found[_symbol(variable, domain)] = domain


def _symbol(name: str, domain: Domain) -> sp.Symbol:
    """Make a symbol that knows its sign."""
    if domain.low is not None and domain.low >= 0:
        positive = domain.low > 0 or domain.low_open
        return sp.Symbol(name, positive=True) if positive else sp.Symbol(name, nonnegative=True)
    return sp.Symbol(name, real=True)


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise OptionError(f"{name}: {text!r} is no number; write -oo and oo for no bound")
    return value


def softplus(x: sp.Expr) -> sp.Expr:
    """Softplus log(1 + e^x)."""
    return sp.log(1 + sp.exp(x))


_FUNCTIONS: Mapping[str, Callable[..., sp.Expr]] = {
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "abs": sp.Abs,
    "tanh": lambda x: (sp.exp(2 * x) - 1) / (sp.exp(2 * x) + 1),
    "sigmoid": lambda x: 1 / (1 + sp.exp(-x)),
    "softplus": softplus,
    "relu": lambda x: sp.Max(0, x),
    "max": sp.Max,
    "min": sp.Min,
    "diff": sp.diff,
}
_OPERATORS: Mapping[type[ast.operator], Callable[[sp.Expr, sp.Expr], sp.Expr]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}


class _Reader:
    """Reader of expressions that keeps what they divide by and take logarithms and roots of."""

    def __init__(self, names: Mapping[str, sp.Symbol], name: str) -> None:
        self._names, self._name = names, name
        self.conditions: list[Condition] = []

    def read(self, text: str) -> sp.Expr:
        """Read one side of a statement."""
        try:
            tree = ast.parse(text.strip().replace("^", "**"), mode="eval").body
            return self._value(tree, 0)
        except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError) as error:
            shown = text.strip()[:80]
            raise OptionError(f"{self._name}: {shown!r} is not understood: {error!s:.80}") from None

    def _value(self, node: ast.expr, depth: int) -> sp.Expr:
        if depth > _DEEPEST:
            raise ValueError("nested too deep")
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            if not abs(node.value) < 1e20:  # type: ignore[arg-type]
                raise ValueError("a large number")
            return sp.Rational(str(node.value))
        if isinstance(node, ast.Name):
            if node.id not in self._names:
                raise ValueError(f"{node.id} is no variable")
            return self._names[node.id]
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            value = self._value(node.operand, depth + 1)
            return -value if isinstance(node.op, ast.USub) else value
        if isinstance(node, ast.BinOp):
            return self._operation(node, depth)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
            return self._call(node.func.id, [self._value(a, depth + 1) for a in node.args])
        raise ValueError(f"{ast.unparse(node)[:40]} is no part of a statement")

    def _operation(self, node: ast.BinOp, depth: int) -> sp.Expr:
        left, right = (self._value(side, depth + 1) for side in (node.left, node.right))
        if isinstance(node.op, ast.Pow):
            if right.is_number and right.is_negative:
                self.conditions.append((left, "!="))
            if right.is_number and not right.is_integer:  # of a negative number there is no root
                self.conditions.append((left, ">="))
            return _small(_power(left, right))
        if isinstance(node.op, ast.Div):
            self.conditions.append((right, "!="))
        if type(node.op) not in _OPERATORS:
            raise ValueError(f"{ast.unparse(node)[:40]} is no part of a statement")
        return _small(_OPERATORS[type(node.op)](left, right))

    def _call(self, name: str, arguments: list[sp.Expr]) -> sp.Expr:
        function = _FUNCTIONS.get(name)
        if function is None or not 1 <= len(arguments) <= 4:
            raise ValueError(f"{name} of {len(arguments)} arguments")
        if name in ("log", "sqrt"):
            self.conditions.append((arguments[0], ">" if name == "log" else ">="))
        if name == "diff" and (len(arguments) != 2 or not isinstance(arguments[1], sp.Symbol)):
            raise ValueError("diff of an expression in a variable")
        return _small(function(*arguments))


def _small(value: sp.Expr) -> sp.Expr:
    """Return an expression that can be handled; ValueError for one that blows up."""
    try:
        return small_enough(value)
    except UnknownFormula as error:
        raise ValueError(str(error)) from None


def _power(base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
    if not exponent.is_number or abs(exponent) > _LARGEST_POWER:
        raise ValueError("a power that is no small number; write exp(y*log(x))")
    if base.is_number and abs(exponent) * (1 + abs(sp.log(abs(base) + 1))) > _LARGEST_LOG:
        raise ValueError("a large number")
    return _small(sp.Pow(base, exponent))
