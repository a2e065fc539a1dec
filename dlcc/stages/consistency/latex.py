"""LaTeX of loss formulas to sympy: a Pratt parser that refuses what it does not know.

It reads what papers on such losses write: sums and expectations over a batch, sums over the
features of a row, log, exp, σ, max, powers, fractions, norms, gradients, the divergence from the
prior, and the networks D and G applied to things. A formula is taken whole or not at all.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

Mean = sp.Function("Mean")
"""Mean over the batch: linear, otherwise opaque."""
FeatureSum = sp.Function("FeatureSum")
"""Sum over the features of a row."""
Norm = sp.Function("Norm")
"""Euclidean norm over the features of a row."""
Norm1 = sp.Function("Norm1")
"""Sum of absolute values over the features of a row."""
Gradient = sp.Function("Gradient")
"""Gradient of a network's output in its input."""
DIVERGENCE = sp.Symbol("KL", real=True)
"""Divergence of the latents of a row from their prior."""
_BatchSum = sp.Function("BatchSum")
_FEATURES = ("j", "k", "d", "l")  # what a feature's index is called
_FEATURE_COUNTS = ("J", "K", "d", "D", "k", "L")  # and how many there are
_BATCH = ("m", "n", "N", "B")  # what the size of a batch is called

_TOKEN = re.compile(
    r"\s+|(?P<space>\\[,;:!> ]|\\quad|\\qquad|~|&)|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<command>\\[a-zA-Z]+|\\\||\\[{}])|(?P<letter>[a-zA-Z])|(?P<sign>[-+*/^_=(){}\[\],|!.;'∥‖])"
)
_IGNORED = {
    "\\left",
    "\\right",
    "\\big",
    "\\Big",
    "\\bigl",
    "\\bigr",
    "\\Bigl",
    "\\Bigr",
    "\\displaystyle",
    "\\limits",
    "\\middle",
}
_FONTS = {
    "\\mathcal",
    "\\mathrm",
    "\\mathbf",
    "\\mathbb",
    "\\text",
    "\\operatorname",
    "\\mathit",
    "\\boldsymbol",
    "\\textrm",
    "\\hat",
    "\\tilde",
    "\\bar",
}
_FUNCTIONS = {"\\log": sp.log, "\\ln": sp.log, "\\exp": sp.exp, "\\sqrt": sp.sqrt}
_NETWORKS = {"D", "G"}
_NORMS = {"\\|", "\\Vert", "\\lVert", "\\rVert", "∥", "‖"}
_GREEK = "alpha|beta|gamma|lambda|epsilon|mu|delta|eta|tau|theta|phi|kappa|omega|nu|rho|xi"
_DIVERGENCES = {"KL", "D_KL", "DKL"}
_OPENING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}"}


_LONGEST = 2_000  # characters of a formula
_DEEPEST = 60  # brackets within brackets
_MOST_TERMS = 200  # that a formula may have once it is multiplied out
_MOST_DIGITS = 20
_HIGHEST_TOWER = 2


class UnknownFormula(Exception):  # noqa: N818  # an outcome: the obligation stays open
    """Formula with something that this reader does not know; the message says what."""


@dataclass(frozen=True)
class Equation:
    """Equation `name = value`; `name` is the left side as it is written, without decoration."""

    name: str
    value: sp.Expr


def parse_equation(latex: str) -> Equation:
    """Parse a formula `L_D = ...`.

    Raises:
        UnknownFormula: The text is no equation, or not understood.
    """
    if len(latex) > _LONGEST:
        raise UnknownFormula(f"longer than {_LONGEST:,} characters")
    sides = _split_at_equals(latex)
    if len(sides) != 2:
        raise UnknownFormula("not one equation")
    left, right = sides
    name = re.sub(r"\\[a-zA-Z]+|[{}\s\\]", "", left)
    if not name:
        raise UnknownFormula("the left side has no name")
    return Equation(name, parse_expression(right.strip().rstrip(".,;")))


def _split_at_equals(latex: str) -> list[str]:
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
    reader = _Reader(_tokens(latex))
    value = small_enough(reader.expression(0))
    if reader.here is not None:
        raise UnknownFormula(f"{reader.here!r} was not expected")
    return _with_means(value)


def _tokens(latex: str) -> list[str]:
    tokens, at = [], 0
    while at < len(latex):
        match = _TOKEN.match(latex, at)
        if match is None:
            raise UnknownFormula(f"the character {latex[at]!r}")
        at = match.end()
        word = match.group().strip()
        if word and match["space"] is None and word not in _IGNORED:
            tokens.append(word)
    return tokens


def small_enough(value: sp.Expr) -> sp.Expr:
    """Return the expression itself; UnknownFormula is raised where multiplying out blows it up."""
    if _terms(value) > _MOST_TERMS:
        raise UnknownFormula(f"more than {_MOST_TERMS} terms when it is multiplied out")
    if _towers(value) > _HIGHEST_TOWER:
        raise UnknownFormula(f"more than {_HIGHEST_TOWER} exponentials within each other")
    return value


def _towers(value: sp.Basic) -> int:
    """Count how many exponentials stand within each other: a few outgrow every number."""
    inner = max((_towers(argument) for argument in value.args), default=0)
    return inner + isinstance(value, sp.exp)


def _terms(value: sp.Basic) -> float:
    """Bound the number of terms of an expression once it is multiplied out."""
    parts = [_terms(argument) for argument in value.args]
    if isinstance(value, sp.Add):
        return sum(parts)
    if isinstance(value, sp.Mul):
        return math.prod(parts)
    if isinstance(value, sp.Pow):
        exponent = value.args[1]
        if not exponent.is_number:
            return max(parts)
        size = abs(float(exponent))
        return parts[0] ** min(size, 1e3) if size <= _MOST_TERMS else math.inf
    return max(parts, default=1)


def _with_means(value: sp.Expr) -> sp.Expr:
    """Turn BatchSum(e)/m into Mean(e): every sum must meet the batch's size once."""
    size = sp.Symbol("batch_size", positive=True)
    named = {sp.Symbol(name, real=True): size for name in _BATCH}
    meant = value.subs(named).replace(_BatchSum, lambda e: size * Mean(e))
    meant = sp.expand(meant)
    if meant.has(size):
        raise UnknownFormula("a sum that is not divided by the size of the batch")
    return meant


class _Reader:
    """Pratt parser with binding powers: sums 10, products 20, powers 40; adjacency multiplies."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = list(tokens)
        self._at = 0
        self._depth = 0
        self._in_norm = False

    @property
    def here(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self, expected: str | None = None) -> str:
        token = self.here
        if token is None or (expected is not None and token != expected):
            raise UnknownFormula(f"expected {expected or 'more'}, found {token or 'the end'}")
        self._at += 1
        return token

    def expression(self, power: int) -> sp.Expr:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise UnknownFormula(f"nested more than {_DEEPEST} deep")
        value = self._infix(self._prefix(), power)
        self._depth -= 1
        return value

    def _infix(self, value: sp.Expr, power: int) -> sp.Expr:
        while True:
            token = self.here
            if token in ("+", "-") and power < 10:
                self.take()
                right = self.expression(10)
                value = value + right if token == "+" else value - right
            elif token in ("*", "/", "\\cdot", "\\times") and power < 20:
                self.take()
                right = self.expression(20)
                value = value / right if token == "/" else value * right
            elif token == "^" and power < 40:
                self.take()
                value = self._power(value, self._argument())
            elif token is not None and self._starts_factor(token) and power < 20:
                value = value * self.expression(20)
            else:
                return value

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        """Raise to a power; a large exponent is refused before anything is computed."""
        if exponent.is_number and not abs(sp.re(exponent)) <= _MOST_TERMS:
            raise UnknownFormula("a large exponent")
        return small_enough(sp.Pow(base, exponent))

    def _starts_factor(self, token: str) -> bool:
        return (
            token in _OPENING
            or token in _FUNCTIONS
            or token in _FONTS
            or token in ("\\frac", "\\tfrac", "\\dfrac", "\\sum", "\\sigma", "\\max", "\\min")
            or token == "\\nabla"
            or (token in _NORMS and not self._in_norm)
            or bool(re.fullmatch(rf"[a-zA-Z]|\d.*|\\({_GREEK})", token))
        )

    def _prefix(self) -> sp.Expr:
        token = self.take()
        if token == "-":
            return -self.expression(15)
        if token == "+":
            return self.expression(15)
        if re.fullmatch(r"\d+(\.\d+)?", token):
            if len(token) > _MOST_DIGITS:
                raise UnknownFormula(f"a number of more than {_MOST_DIGITS} digits")
            return sp.Rational(token)
        if token in _OPENING:
            value = self.expression(0)
            self.take(_OPENING[token])
            return value
        if token in ("\\frac", "\\tfrac", "\\dfrac"):
            return self._argument() / self._argument()
        if token == "\\sum":
            over = FeatureSum if self._sums_features() else _BatchSum
            return over(self.expression(10 if self.here in ("[", "(") else 15))
        if token in _NORMS:
            return self._norm()
        if token == "\\nabla":
            self._skip_index()
            return Gradient(self.expression(30))
        if token in ("\\max", "\\min"):
            arguments = self._call_arguments()
            return sp.Max(*arguments) if token == "\\max" else sp.Min(*arguments)
        if token in _FUNCTIONS:
            return _FUNCTIONS[token](self._operand())
        if token == "\\sigma" and self.here in _OPENING:
            return 1 / (1 + sp.exp(-self._operand()))
        return self._name(token)

    def _name(self, token: str) -> sp.Expr:
        if token in ("\\mathbb", "E") and self._is_expectation(token):
            return self._expectation()
        if token in _FONTS:
            decorated = token.removeprefix("\\") if token in ("\\hat", "\\tilde", "\\bar") else ""
            name = decorated + self._braced_text()
        elif token == "e" and self.here == "^":
            return sp.E
        elif re.fullmatch(r"[a-zA-Z]", token):
            name = token
        elif re.fullmatch(rf"\\({_GREEK}|sigma)", token):
            name = token.removeprefix("\\")
        else:
            raise UnknownFormula(token)
        subscript = self._subscript()
        if subscript not in ("", "i", "j", "k"):
            name += f"_{subscript}"
        if name == "K" and self.here == "L":
            self.take()
            name = "KL"
        if name in _DIVERGENCES:
            self._skip_brackets()
            return DIVERGENCE
        while self.here == "'":  # x', as good as a decoration
            self.take()
            name = f"prime{name}"
        if name in _NETWORKS and self.here in ("(", "["):
            return sp.Function(name)(*self._call_arguments())
        if name in _NETWORKS:
            raise UnknownFormula(f"the network {name} without an argument")
        return sp.Symbol(name, real=True)

    def _is_expectation(self, token: str) -> bool:
        ahead = self._tokens[self._at : self._at + 3]
        return token == "E" or ahead[:3] == ["{", "E", "}"] or ahead[:1] == ["E"]

    def _expectation(self) -> sp.Expr:
        if self.here == "{":
            self._braced_text()
        elif self.here == "E":
            self.take()
        self._skip_index()
        closing = _OPENING.get(self.here or "")
        if closing is None:
            return Mean(self.expression(15))
        self.take()
        value = self.expression(0)
        self.take(closing)
        return Mean(value)

    def _norm(self) -> sp.Expr:
        """Read a norm up to its closing bars: by its subscript of absolute values or Euclidean."""
        if self._in_norm:
            raise UnknownFormula("a norm within a norm")
        self._in_norm = True
        value = self.expression(0)
        self._in_norm = False
        if self.here not in _NORMS:
            raise UnknownFormula("a norm that is not closed")
        self.take()
        order = self._subscript()
        if order not in ("", "1", "2", "F"):
            raise UnknownFormula(f"a norm of order {order}")
        return Norm1(value) if order == "1" else Norm(value)

    def _skip_brackets(self) -> None:
        """Skip what stands in brackets, whatever it is: the arguments of a divergence."""
        if self.here not in ("(", "[", "{", "\\{"):
            raise UnknownFormula("a divergence without its arguments")
        depth = 0
        while True:
            token = self.take()
            depth += (token in _OPENING) - (token in _OPENING.values())
            if depth == 0:
                return

    def _operand(self) -> sp.Expr:
        """Read the operand of a function: what is in brackets after it, else the next factor."""
        if self.here == "^":
            raise UnknownFormula("a power of a function's name")
        if self.here in _OPENING:
            return self._prefix()
        return self.expression(30)

    def _argument(self) -> sp.Expr:
        """Read one braced group or token; of a bare number one digit: `\\frac12` is a half."""
        token = self.here or ""
        if re.fullmatch(r"\d\d+", token):
            self._tokens[self._at : self._at + 1] = [token[0], token[1:]]
        return self._prefix()

    def _call_arguments(self) -> list[sp.Expr]:
        closing = _OPENING.get(self.here or "")
        if closing is None:
            raise UnknownFormula("a function without brackets")
        self.take()
        arguments = [self.expression(0)]
        while self.here == ",":
            self.take()
            arguments.append(self.expression(0))
        self.take(closing)
        return arguments

    def _sums_features(self) -> bool:
        """Skip the bounds of a sum, and tell whether it is one over the features of a row."""
        index, count = "", ""
        while self.here in ("_", "^"):
            below = self.take() == "_"
            text = self._braced_text() if self.here == "{" else self.take().removeprefix("\\")
            if below:
                index = text.partition("=")[0]
            else:
                count = text
        return count in _FEATURE_COUNTS or (index in _FEATURES and count not in _BATCH)

    def _skip_index(self) -> None:
        """Skip the bounds of a sum, or the distribution of an expectation."""
        while self.here in ("_", "^"):
            self.take()
            if self.here == "{":
                self._braced_text()
            else:
                self.take()

    def _subscript(self) -> str:
        if self.here != "_":
            return ""
        self.take()
        return self._braced_text() if self.here == "{" else self.take().removeprefix("\\")

    def _braced_text(self) -> str:
        if self.here != "{":
            return self.take().removeprefix("\\")
        depth = 0
        words: list[str] = []
        while True:
            token = self.take()
            depth += {"{": 1, "}": -1}.get(token, 0)
            if depth == 0:
                return "".join(words)
            if token not in "{}":
                words.append(token.removeprefix("\\"))
