"""Tokens of LaTeX formulas, and the limits of what is taken in."""

from __future__ import annotations

import math
import re

import sympy as sp

_TOKEN = re.compile(
    r"\s+|(?P<space>\\[,;:!> ]|\\quad|\\qquad|~|&)|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<command>\\[a-zA-Z]+|\\\||\|\||\\[{}])|(?P<letter>[a-zA-Z])|(?P<sign>[-+*/^_=(){}\[\],|!.;'∥‖])"
)
_LABEL = re.compile(r"\\(?:tag|label)\*?\{[^{}]*\}|\\(?:nonumber|notag)(?![a-zA-Z])")
_EMPTY = re.compile(r"(?<![^=&\s])\{\s*\}")  # a group that only aligns
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
OPENING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}"}
"""Brackets that open -> what closes them."""
LONGEST = 2_000
"""Characters that a formula may have."""
LONGEST_DISPLAY = 8_000
"""Characters that a displayed formula of several rows may have."""
DEEPEST = 60
"""Brackets that may stand within each other."""
MOST_DIGITS = 20
"""Digits that a number may have."""
LARGEST_POWER = 200
"""Exponent that a power may have."""
_MOST_TERMS = 200  # that a formula may have once it is multiplied out
_HIGHEST_TOWER = 2


class UnknownFormula(Exception):  # noqa: N818  # an outcome: the obligation stays open
    """Formula with something that this reader does not know; the message says what."""


def tokens(latex: str) -> list[str]:
    """Cut a formula into tokens, without spaces and what only changes sizes."""
    latex = _EMPTY.sub(" ", _LABEL.sub("", latex))
    found, at = [], 0
    while at < len(latex):
        match = _TOKEN.match(latex, at)
        if match is None:
            raise UnknownFormula(f"the character {latex[at]!r}")
        at = match.end()
        word = match.group().strip()
        if word and match["space"] is None and word not in _IGNORED:
            found.append("\\|" if word == "||" else word)
    return found


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
