"""Tokens of a formula as they are taken one by one, with marks that stand behind names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dlcc.stages.consistency.formulas.distributions import FONTS
from dlcc.stages.consistency.formulas.latex_tokens import OPENING, UnknownFormula

INDEX = re.compile(r"[ijkntbmdl]'?(,?[ijkntbmdl]'?)?")
"""Pattern of what counts rows and features."""


class Tokens:
    """Tokens of a formula, and the place up to which they were taken.

    >>> some = Tokens(list("x_i^-)"))
    >>> some.take(), some.subscript(), some.take_sign_above(), some.here
    ('x', 'i', '^-', ')')
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = list(tokens)
        """All tokens."""
        self.at = 0
        """Place of the next one."""

    @property
    def here(self) -> str | None:
        """Next token; None at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self, expected: str | None = None) -> str:
        """Take the next token, which must be the expected one."""
        token = self.here
        if token is None or (expected is not None and token != expected):
            raise UnknownFormula(f"expected {expected or 'more'}, found {token or 'the end'}")
        self.at += 1
        return token

    def take_positive_part(self) -> bool:
        """Take the mark of a positive part behind brackets, as in [1 - D(x)]_+."""
        for mark in (["_", "+"], ["_", "{", "+", "}"]):
            if self.tokens[self.at : self.at + len(mark)] == mark:
                self.at += len(mark)
                return True
        return False

    def take_transpose(self) -> bool:
        """Take the sign of a transpose, as in a^⊤ b."""
        for mark in (["^", "\\top"], ["^", "{", "\\top", "}"], ["^", "T"], ["^", "\\intercal"]):
            if self.tokens[self.at : self.at + len(mark)] == mark:
                self.at += len(mark)
                return True
        return False

    def take_sign_above(self) -> str:
        """Take a sign above a name that is no power, as in x^-; empty for none."""
        for mark in (["^", "-"], ["^", "{", "-", "}"], ["^", "+"], ["^", "{", "+", "}"]):
            after = self.at + len(mark)
            if self.tokens[self.at : after] == mark and (
                len(mark) == 4 or self.tokens[after : after + 1] in ([")"], [","], ["]"], [";"])
            ):
                self.at = after
                return "^" + next(sign for sign in mark if sign in ("-", "+"))
        return ""

    def bracketed(self) -> list[str]:
        """Take what stands in brackets, whatever it is."""
        if self.here not in ("(", "[", "{", "\\{"):
            raise UnknownFormula("a divergence without its arguments")
        found: list[str] = []
        depth = 0
        while True:
            token = self.take()
            depth += (token in OPENING) - (token in OPENING.values())
            found.append(token)
            if depth == 0:
                return found[1:-1]

    def index(self) -> list[str]:
        """Take the index of an expectation or a gradient."""
        found: list[str] = []
        while self.here in ("_", "^"):
            below = self.take() == "_"
            taken = self.braced() if self.here == "{" else [self.take()]
            if below:
                found = taken
        return found

    def skip_row(self) -> None:
        """Skip the number of a row above a name, such as in x^{(i)}."""
        ahead = self.tokens[self.at : self.at + 6]
        for row in (["^", "{", "(", "", ")", "}"], ["^", "(", "", ")"]):
            letter = row.index("")
            part = ahead[: len(row)]
            around = [*part[:letter], "", *part[letter + 1 :]]
            if around == row and INDEX.fullmatch(part[letter]):
                self.at += len(row)
                return

    def subscript(self) -> str:
        """Take the subscript of a name; empty for none."""
        if self.here != "_":
            return ""
        self.take()
        return self.braced_text() if self.here == "{" else self.take().removeprefix("\\")

    def braced_text(self) -> str:
        """Take what stands in braces, or one token, without fonts and backslashes."""
        if self.here != "{":
            return self.take().removeprefix("\\")
        return "".join(
            word.removeprefix("\\")
            for word in self.braced()
            if word not in "{}" and word not in FONTS
        )

    def braced(self) -> list[str]:
        """Take what stands in braces."""
        found: list[str] = []
        depth = 0
        while True:
            token = self.take()
            depth += {"{": 1, "}": -1}.get(token, 0)
            found.append(token)
            if depth == 0:
                return found[1:-1]
