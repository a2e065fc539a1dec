"""Names in formulas: which are functions of what stands in brackets behind them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dlcc.stages.consistency.formulas.latex_tokens import OPENING

WEIGHTS = re.compile(r"(?:theta|phi|psi|omega|w|eta)(?:_?[dgDG])?")
"""Names of a network's weights, as a pattern."""
_WEIGHTED = re.compile(rf"\w+?_(?:\w+,)?{WEIGHTS.pattern}")
_LETTERS = frozenset("EFHLQRST") | frozenset("fghsT")  # that stand for functions and nothing else
_WORDS = re.compile(
    r"(?:en|de)c(?:oder)?|gen(?:erator)?|dis(?:c(?:riminator)?)?|net", re.IGNORECASE
)
_NETWORK_PART = re.compile(r"[DGEFCQf]_(?:\w+)")
_TIME = re.compile(r"t|tau|sigma(?:_[it])?")
_PLAIN = re.compile(r"[a-zA-Z0-9_',;|]+")
STOPS = frozenset(("sg", "stopgrad", "stopgradient", "detach"))
"""Names of the operator that no gradient passes."""


def is_function(name: str, behind: Sequence[str], *, greek: bool) -> bool:
    """Tell whether a name with brackets behind it is a function and no factor.

    Args:
        name: Name with its subscript, such as `epsilon_theta`.
        behind: Tokens behind the name, the first of them a bracket that opens.
        greek: Whether it is a Greek letter, which is a factor as a rule.

    >>> is_function("F", list("(x)"), greek=False), is_function("k", list("(a,b)"), greek=False)
    (True, True)
    >>> is_function("a", list("(b+c)"), greek=False)
    False
    """
    if _WEIGHTED.fullmatch(name):
        return True
    inside = inner(behind)
    if _TIME.fullmatch("".join(inside).replace("\\", "")):
        return True
    if greek:
        return "," in inside and behind[0] == "("
    if name in _LETTERS or _WORDS.fullmatch(name) or _NETWORK_PART.fullmatch(name):
        return True
    if "," in inside and "[" not in behind[:1]:
        return True
    return "_" in name and _PLAIN.fullmatch("".join(inside)) is not None


def is_encoder(tokens: Sequence[str], at: int) -> bool:
    """Tell whether a letter E is a network and no expectation: where expectations are written in
    another way, or brackets hold names alone.

    Args:
        tokens: Tokens of the formula.
        at: Place behind the letter.

    >>> formula = list("E(x)")
    >>> is_encoder(formula, 1), is_encoder(list("E[x]"), 1)
    (True, False)
    """
    after = list(tokens[at:])
    if after[:1] == ["_"]:
        subscript = (
            after[2 : after.index("}")] if after[1:2] == ["{"] and "}" in after else after[1:2]
        )
        if not WEIGHTS.fullmatch("".join(subscript).replace("\\", "")):
            return False
        after = after[len(subscript) + (3 if after[1] == "{" else 1) :]
        return after[:1] == ["("]
    if after[:1] != ["("]:
        return False
    inside = inner(after)
    return _PLAIN.fullmatch("".join(inside)) is not None or "\\mathbb" in tokens


def inner(behind: Sequence[str]) -> list[str]:
    """Take the tokens between the bracket that stands first and the one that closes it.

    >>> inner(list("(a(b))c"))
    ['a', '(', 'b', ')']
    """
    depth = 0
    for k, token in enumerate(behind):
        depth += (token in OPENING) - (token in OPENING.values())
        if depth == 0:
            return list(behind[1:k])
    return []
