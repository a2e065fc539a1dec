"""Distributions in formulas: what expectations are over, and what a divergence is of."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from dlcc.stages.consistency.formulas.latex_tokens import OPENING, UnknownFormula
from dlcc.stages.consistency.formulas.symbols import (
    DIVERGENCE,
    REVERSE_DIVERGENCE,
    D,
    G,
    Gradient,
    is_chance,
    is_sample,
)

DATA, SAMPLES, CHANCE, OTHER = "data", "samples", "chance", "other"
"""Kinds of distributions: the training data's, the generator's, that of noise, and any other."""
FONTS = frozenset(
    (
        "\\mathcal",
        "\\mathrm",
        "\\mathbf",
        "\\mathbb",
        "\\text",
        "\\operatorname",
        "\\mathit",
        "\\boldsymbol",
        "\\textrm",
        "\\mathsf",
        "\\bm",
    )
)
"""Commands that change how letters look."""

_BARS = ("\\|", "\\Vert", "\\parallel", "∥", "‖")
_GIVEN = r"(?:\||mid|vert|lvert|rvert)"
_IS_DATA = re.compile(
    r"[pP]|[pPq]_?(data|real|train|true|r|d|x|X|\*)\w*|[pP]\^?\*|[XD]|\w*data|real|mu_?r"
)
_IS_SAMPLES = re.compile(
    r"[pP]_?(g|G|f|fake|model|mod|gen|generated|generator|theta|phi|psi)\w*|G\w*|Q|fake|samples"
)
_IS_CHANCE = re.compile(r"[pP]_?(z|Z|noise|latent|epsilon)\w*|N|U|noise")
_POSTERIOR = re.compile(
    rf"q(_?\w+)?(\(\w+{_GIVEN}\w+(,[a-z])?\))?|N\((z;)?mu\w*(\(\w+\))?,(diag\(?)?sigma\S*\)"
)
_PRIOR = re.compile(r"p(_?\w+)?(\(z\w*\))?|N\((z;)?0,(I|1)\w?\)|prior")
_SINGLE = re.compile(r"(?:z|mu|sigma)_(?:[a-hj-z]|\d)(?![a-z])")  # z_j; z_i is a row
_LIKELIHOOD = re.compile(
    rf"[pP](_?[a-z]+)?\(x\w*{_GIVEN}(?:(hat|tilde)?z\w*(?:\(x\))?(?:,[a-z])?|[a-z],z\w*)\)"
)
_TIMES = frozenset(("t", "s", "tau"))
_EVEN = re.compile(r"U|u|\{|\[|\(?[01]|p|Cat|T")  # as times are drawn as a rule
_COUNTERS = frozenset("ijknbtm")


@dataclass(frozen=True)
class Drawn:
    """Variables that an expectation is over."""

    names: tuple[str, ...]
    """Names of the variables; none where it names a distribution alone."""
    kind: str
    """Kind of what they are drawn from: `data`, `samples`, `chance` or `other`."""
    of: str = ""
    """Name of what they are drawn from, as it is written; empty where nothing is."""


def kind_of(text: str) -> str:
    """Tell what a distribution is of, by what papers call it.

    Args:
        text: Name without fonts and braces, such as `p_data(x)`.

    >>> kind_of("p_data(x)"), kind_of("P_g"), kind_of("N(0,I)"), kind_of("q(z|x)")
    ('data', 'samples', 'chance', 'other')
    """
    name, _, argument = text.partition("(")
    if name in ("p", "P") and re.match(r"(z|epsilon)", argument):
        return CHANCE
    if name in ("p", "P") and re.search(_GIVEN, argument):
        return OTHER
    for pattern, kind in ((_IS_CHANCE, CHANCE), (_IS_SAMPLES, SAMPLES), (_IS_DATA, DATA)):
        if pattern.fullmatch(name):
            return kind
    return OTHER


def drawn(index: Sequence[str]) -> list[Drawn]:
    """Read what an expectation is over.

    Args:
        index: Tokens of its index, such as those of `x \\sim p_{data}, z \\sim p_z`.

    Returns:
        Variables by what they are drawn from.

    Raises:
        UnknownFormula: The index is not understood.

    >>> drawn(["x", "\\\\sim", "p", "_", "g"])
    [Drawn(names=('x',), kind='samples', of='p_g')]
    """
    found: list[Drawn] = []
    waiting: list[str] = []
    for part in _parts(index, (",", ";")):
        at = next((k for k, t in enumerate(part) if t in ("\\sim", "\\in")), None)
        text = plain(part if at is None else part[:at])
        if at is not None:
            names = [name for name in text.strip("()").split(",") if name]
            of = plain(part[at + 1 :])
            found.append(Drawn((*waiting, *names), kind_of(of), of))
            waiting = []
        elif re.match(r"[pPqQN]_?\w*($|\()|[GX]$|data$", text) and text not in ("n", "N"):
            found.append(Drawn((), kind_of(text)))
        else:
            waiting.append(text)
    if waiting:
        found.append(Drawn(tuple(waiting), OTHER))
    return found


def averaged(value: sp.Expr, over: Sequence[Drawn]) -> sp.Expr:
    """Put into an expression what an expectation says of its variables.

    Args:
        value: Expression under the expectation.
        over: Variables that it is over.

    Returns:
        The expression, where data that are drawn from the generator are called x̃, and whatever is
        drawn from the training data is called x.

    Raises:
        UnknownFormula: It is over variables that the expression has not, or noise is drawn from
            the data, or data from noise: what is meant cannot be told.

    >>> x = sp.Symbol("x", real=True)
    >>> averaged(D(x), [Drawn(("x",), SAMPLES)])
    D(tildex)
    """
    inside = {s.name for s in value.free_symbols}
    names = {name for d in over for name in d.names} - _COUNTERS
    judges = value.has(D) or value.has(G) or value.has(Gradient)
    from_data = {name for name in names if any(n.endswith(name) for n in inside if is_sample(n))}
    if judges and names and not (names & inside or from_data):  # x̂ is made of x
        raise UnknownFormula(f"an expectation over {', '.join(sorted(names))} of something else")
    for d in over:
        if _TIMES & set(d.names) and d.of and not _EVEN.match(d.of):
            raise UnknownFormula(f"times drawn from {d.of}")
    renamed: dict[str, str] = {}
    judged = {a.name for e in value.atoms(D) for a in e.args if isinstance(a, sp.Symbol)}
    for d in over if judges else ():
        for name in d.names or _only_data(inside, d):
            renamed |= _renamed(name, d, like_data=_is_like_data(name, judged))
    pairs = {sp.Symbol(a, real=True): sp.Symbol(b, real=True) for a, b in renamed.items()}
    return value.subs(pairs, simultaneous=True)


def divergence(arguments: Sequence[str]) -> sp.Symbol:
    """Tell which divergence one between two distributions is.

    Args:
        arguments: Tokens between its brackets, such as those of `q(z|x) \\| p(z)`.

    Raises:
        UnknownFormula: It is not one between a row's latents and their prior.

    >>> divergence(list("q(z|x)||p(z)")), divergence(list("p(z)||q(z|x)"))
    (KL, reverse KL)
    """
    sides = [plain(part) for part in _parts(arguments, (*_BARS, "||", ","), two=True)]
    if any(_SINGLE.search(side) for side in sides):
        raise UnknownFormula("a divergence of single latents")
    if len(sides) == 2:
        if _POSTERIOR.fullmatch(sides[0]) and _PRIOR.fullmatch(sides[1]):
            return DIVERGENCE
        if _PRIOR.fullmatch(sides[0]) and _POSTERIOR.fullmatch(sides[1]):
            return REVERSE_DIVERGENCE
    raise UnknownFormula(f"a divergence of {' from '.join(sides) or 'nothing'}")


def is_likelihood(argument: Sequence[str]) -> bool:
    """Tell whether tokens are the likelihood of data given latents, such as `p(x|z)`.

    >>> is_likelihood(list("p(x|z)")), is_likelihood(list("p(z|x)"))
    (True, False)
    """
    return _LIKELIHOOD.fullmatch(plain(argument)) is not None


def plain(words: Sequence[str]) -> str:
    """Join tokens without fonts, braces and backslashes.

    >>> plain(["p", "_", "{", "\\\\text", "{", "g", "}", "}"])
    'p_g'
    """
    kept = [word.lstrip("\\") for word in words if word not in FONTS and word not in "{}"]
    return re.sub(r"\^\(\w\)", "", "".join(kept))  # x^(i) is x


def _only_data(inside: set[str], over: Drawn) -> list[str]:
    """The one thing like data in an expression, for an index that names a distribution alone."""
    like = [name for name in inside if _is_like_data(name)]
    return like if len(like) == 1 and over.kind in (DATA, SAMPLES) else []


def _is_like_data(name: str, judged: Collection[str] = ()) -> bool:
    known = name in judged and not is_chance(name)  # what judges codes is given noise, too
    return known or name[:1] == "x" or is_sample(name)


def _renamed(name: str, over: Drawn, *, like_data: bool) -> Mapping[str, str]:
    if like_data:
        if over.kind == CHANCE:
            raise UnknownFormula(f"{name} drawn from noise")
        if over.kind == OTHER and over.of and not is_sample(name):
            raise UnknownFormula(f"{name} drawn from {over.of}")
        return {DATA: {name: "x"}, SAMPLES: {name: "tildex"}}.get(over.kind, {})
    if is_chance(name) and over.kind == DATA:
        raise UnknownFormula(f"{name} drawn from the data")
    return {}


def _parts(
    words: Sequence[str], separators: Sequence[str], *, two: bool = False
) -> list[list[str]]:
    """Cut at separators that stand outside of brackets; with `two`, at two bars in a row, too."""
    parts: list[list[str]] = [[]]
    depth = at = 0
    while at < len(words):
        word = words[at]
        depth += (word in OPENING) - (word in OPENING.values())
        bars = two and list(words[at : at + 2]) == ["|", "|"]
        if depth == 0 and (bars or word in separators):
            parts.append([])
            at += 2 if bars else 1
            continue
        parts[-1].append(word)
        at += 1
    return [part for part in parts if part]
