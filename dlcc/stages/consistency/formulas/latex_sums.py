"""Sums in formulas: over rows, pairs of rows, features, or numbers that are listed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from dlcc.stages.consistency.formulas.distributions import plain
from dlcc.stages.consistency.formulas.symbols import Distinct, EachPair, FeatureSum

BatchSum = sp.Function("BatchSum")
"""Sum over the rows of a batch."""
SIZE = sp.Symbol("batch_size", positive=True)
"""Size of a batch."""
_FEATURES = ("j", "k", "d", "l")  # what a feature's index is called
_FEATURE_COUNTS = ("J", "K", "d", "D", "k", "L")  # and how many there are
_BATCH = ("m", "n", "N", "B")  # what the size of a batch is called
_LISTED = re.compile(r"(\w+)in\{?([-\d.,]+)\}?")
_UNLIKE = re.compile(r"(?:\w,)?(\w)(?:\^\w)?n(?:ot=|eq?)(\w)")
_MOST = 12  # numbers that a sum may list


@dataclass(frozen=True)
class Bounds:
    """Bounds of a sum.

    >>> x, sigma = sp.symbols("x sigma", real=True)
    >>> Bounds(list("i"), "n").summed(x), Bounds(list("j"), "d").summed(x)
    (BatchSum(x), FeatureSum(x))
    >>> Bounds(["\\\\sigma", "\\\\in", "\\\\{", "1", ",", "2", "\\\\}"], "").summed(sigma * x)
    3*x
    """

    below: Sequence[str]
    """Tokens below the sign."""
    count: str
    """Text above the sign."""

    def summed(self, value: sp.Expr) -> sp.Expr:
        """Sum an expression."""
        text = plain(self.below)
        listed = _LISTED.fullmatch(text)
        if listed:
            name = sp.Symbol(listed[1], real=True)
            numbers = [n for n in listed[2].split(",") if n][:_MOST]
            return sp.Add(*(value.subs(name, sp.Rational(n)) for n in numbers))
        if _UNLIKE.fullmatch(text):
            return SIZE * (SIZE - 1) * Distinct(value)
        if re.fullmatch(r"\w,\w(=1)?", text) and text[0] != text[2]:
            return SIZE**2 * EachPair(value)
        index = text.partition("=")[0]
        if self.count in _FEATURE_COUNTS or (index in _FEATURES and self.count not in _BATCH):
            return FeatureSum(value)
        return BatchSum(value)
