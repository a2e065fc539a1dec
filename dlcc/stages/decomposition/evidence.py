"""Evidence that passages are about functions: how much each pair shares, in several ways."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.records import Function
from dlcc.stages.decomposition.operators import Signs, signs_of_code, signs_of_latex
from dlcc.stages.decomposition.passages import Passage
from dlcc.stages.decomposition.phrases import function_in_words, passage_in_words
from dlcc.stages.decomposition.terms import symbol_words, words_of
from dlcc.typing import Floats

Encoder = Callable[[Sequence[str]], Floats]

FEATURES = (
    "meaning", "meaning of the section", "words of the name", "words of the name in the section",
    "words", "words of the section", "words in the formula", "operators", "operators, both ways",
    "operators of the section", "symbols", "numbers", "named in the heading", "named beside it",
    "named in the section", "parameters named", "computes", "is set-up",
    "share of the name's words", "is on a class", "said by its callers", "meaning around it",
    "words around it", "words of the name around it", "named around it",
)  # fmt: skip
"""Names of the evidence, in the order of the model's weights."""

_SETUP = re.compile(
    r"(?:^|\.)(?:__\w+__|extra_repr|reset_parameters|_?init\w*|_?check\w*|_?validate\w*|plot\w*)$"
)
_CALLABLE = ("forward", "__call__", "call", "_forward")
_MOST_SAID = 6
_COMMON = frozenset({"forward", "call", "update", "compute", "get", "apply", "step"})
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def evidence(
    passages: Sequence[Passage],
    functions: Sequence[Function],
    calls: Mapping[int, Iterable[int]],
    encode: Encoder,
) -> Floats:
    """Measure what n passages share with m functions.

    Args:
        passages: Passages [n].
        functions: Functions [m].
        calls: Index of a function -> indices of those that it calls.
        encode: Encoder of texts to unit vectors [n, d].

    Returns:
        Evidence float64 [n, m, k] in the order of `FEATURES`, most of it between 0 and 1.
    """
    texts = _Texts.of(passages)
    code = _Code.of(functions, calls)
    found = np.zeros((len(passages), len(functions), len(FEATURES)))
    column = {name: found[:, :, k] for k, name in enumerate(FEATURES)}
    near, whole, around = texts.vectors(encode)
    vectors = encode([function_in_words(f) for f in functions])
    column["meaning"][:] = near @ vectors.T
    column["meaning of the section"][:] = whole @ vectors.T
    column["meaning around it"][:] = around @ vectors.T
    rarity = _Rarity([*code.words])
    name = _Bags(code.names, rarity)
    body = _Bags(code.words, rarity)
    said, section = _Bags(texts.near, rarity), _Bags(texts.whole, rarity)
    column["words of the name"][:] = name.covered_by(said).T
    column["words of the name in the section"][:] = name.covered_by(section).T
    column["share of the name's words"][:] = np.log1p(name.shared(section)).T / 3
    beside = _Bags(texts.around, rarity)
    column["words around it"][:] = beside.covered_by(body)
    column["words of the name around it"][:] = name.covered_by(beside).T
    column["words"][:] = said.covered_by(body)
    column["words of the section"][:] = section.covered_by(body)
    column["words in the formula"][:] = _Bags(texts.formula_words, rarity).covered_by(body)
    operators = _Rarity(code.operators)
    own, reached = _Bags(code.operators, operators), _Bags(code.reached, operators)
    formula = _Bags(texts.operators, operators)
    column["operators"][:] = formula.covered_by(reached)
    column["operators, both ways"][:] = formula.alike(own)
    column["operators of the section"][:] = _Bags(texts.section_operators, operators).alike(reached)
    column["symbols"][:] = _symbols(texts.symbols, code.identifiers)
    column["numbers"][:] = _Bags(texts.numbers, _Rarity(code.numbers)).covered_by(
        _Bags(code.numbers, _Rarity(code.numbers))
    )
    mentions = _Mentions(functions)
    column["named in the heading"][:] = mentions.of(texts.headings)
    column["named beside it"][:] = mentions.of(texts.near_identifiers)
    column["named around it"][:] = mentions.of(texts.around_identifiers)
    column["named in the section"][:] = mentions.of(texts.section_identifiers)
    parameters = [
        frozenset(p for p in f.parameters if len(p) > 1 and p != "self") for f in functions
    ]
    known = _Rarity(parameters)
    column["parameters named"][:] = _Bags(texts.section_identifiers, known).covered_by(
        _Bags(parameters, known)
    )
    column["computes"][:] = np.log1p([len(o) for o in code.operators]) / 3
    column["is set-up"][:] = [bool(_SETUP.search(f.name)) for f in functions]
    column["is on a class"][:] = [f.name.rpartition(".")[2] in _CALLABLE for f in functions]
    column["said by its callers"][:] = _of_callers(column["named in the section"], calls)
    return found


def shared_by(passage: Passage, function: Function) -> tuple[str, ...]:
    """Say what a passage and a function share, a kind of evidence each."""
    latex, code = signs_of_latex(passage.latex), signs_of_code(function)
    text = f"{passage.heading} {_without_maths(passage.said)} {latex.names}"
    named = [p for p in function.name.split(".") if _telling(p) and p in _identifiers(text)]
    own = words_of(
        " ".join([function.name, *function.parameters, function.docstring]).replace("_", " ")
    )
    symbols = [
        f"{symbol} ~ {word}"
        for symbol in sorted(latex.symbols)
        for word in sorted(symbol_words([symbol]) & code.symbols)[:1]
        if len(symbol) > 1
    ]
    found = {
        "named": named,
        "operators": sorted(latex.operators & code.operators),
        "symbols": symbols,
        "numbers": [f"{n:g}" for n in sorted(latex.numbers & code.numbers)],
        "words": [w for w in dict.fromkeys(_IDENTIFIER.findall(text)) if {*words_of(w)} & {*own}],
    }
    said = tuple(f"{kind}: {', '.join(its[:_MOST_SAID])}" for kind, its in found.items() if its)
    return said or ("meaning alone",)


@dataclass(frozen=True)
class _Texts:
    """Passages [n] taken apart."""

    passages: Sequence[Passage]
    near: list[frozenset[str]]
    around: list[frozenset[str]]
    """Words of the blocks before and after, and of its own, in the same section."""
    whole: list[frozenset[str]]
    formula_words: list[frozenset[str]]
    operators: list[frozenset[str]]
    section_operators: list[frozenset[str]]
    symbols: list[frozenset[str]]
    numbers: list[frozenset[str]]
    headings: list[frozenset[str]]
    near_identifiers: list[frozenset[str]]
    around_identifiers: list[frozenset[str]]
    section_identifiers: list[frozenset[str]]

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> _Texts:
        signs = [signs_of_latex(p.latex) for p in passages]
        plain = [_without_maths(p.said) for p in passages]
        beside = [
            f"{p.heading} {text} {s.names}"
            for p, text, s in zip(passages, plain, signs, strict=True)
        ]
        near = [frozenset(words_of(text)) for text in beside]
        names = [_identifiers(f"{text} {s.names}") for text, s in zip(plain, signs, strict=True)]
        sections = [p.section for p in passages]
        neighbours = _neighbours(passages)
        return cls(
            passages=passages,
            near=near,
            around=[near[i].union(*(near[j] for j in its)) for i, its in enumerate(neighbours)],
            whole=_pooled(sections, near),
            formula_words=[frozenset(words_of(s.names)) for s in signs],
            operators=[s.operators for s in signs],
            section_operators=_pooled(sections, [s.operators for s in signs]),
            symbols=[s.symbols for s in signs],
            numbers=[frozenset(map(str, s.numbers)) for s in signs],
            headings=[_identifiers(p.heading) for p in passages],
            near_identifiers=names,
            around_identifiers=[
                names[i].union(*(names[j] for j in its)) for i, its in enumerate(neighbours)
            ],
            section_identifiers=_pooled(sections, names),
        )

    def vectors(self, encode: Encoder) -> tuple[Floats, Floats, Floats]:
        """Unit vectors [n, d] of the passages, of their sections, and of what is around them."""
        near = encode([passage_in_words(p) for p in self.passages])
        sections: dict[str, list[int]] = {}
        for i, p in enumerate(self.passages):
            sections.setdefault(p.section, []).append(i)
        whole = np.array([_mean(near[sections[p.section]]) for p in self.passages])
        around = np.array([_mean(near[its]) for its in _neighbours(self.passages)])
        return near, whole, around


def _neighbours(passages: Sequence[Passage]) -> list[list[int]]:
    """Passages of the same block and of those before and after it in its section, itself too."""
    at: dict[tuple[str, int], list[int]] = {}
    for i, p in enumerate(passages):
        at.setdefault((p.section, p.block), []).append(i)
    return [
        [i for block in (p.block - 1, p.block, p.block + 1) for i in at.get((p.section, block), [])]
        for p in passages
    ]


def _mean(vectors: Floats) -> Floats:
    mean = vectors.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12))


@dataclass(frozen=True)
class _Code:
    """Functions [m] taken apart."""

    names: list[frozenset[str]]
    words: list[frozenset[str]]
    operators: list[frozenset[str]]
    reached: list[frozenset[str]]
    """Operators of a function and of those that it calls."""
    identifiers: list[frozenset[str]]
    numbers: list[frozenset[str]]

    @classmethod
    def of(cls, functions: Sequence[Function], calls: Mapping[int, Iterable[int]]) -> _Code:
        signs: list[Signs] = [signs_of_code(f) for f in functions]
        names = [frozenset(words_of(f.name.replace("_", " "))) - _COMMON for f in functions]
        words = []
        for f, own, s in zip(functions, names, signs, strict=True):
            said = " ".join([*f.parameters, *f.calls, *f.binds, *s.symbols]).replace("_", " ")
            words.append(own | frozenset(words_of(f"{said} {f.docstring}")))
        reached = [
            s.operators.union(*(signs[j].operators for j in calls.get(i, ())))
            for i, s in enumerate(signs)
        ]
        return cls(
            names=names,
            words=words,
            operators=[s.operators for s in signs],
            reached=reached,
            identifiers=[s.symbols for s in signs],
            numbers=[frozenset(map(str, s.numbers)) for s in signs],
        )


class _Rarity:
    """Weight of a word: how few of the functions have it."""

    def __init__(self, bags: Sequence[frozenset[str]]) -> None:
        counts: dict[str, int] = {}
        for bag in bags:
            for word in bag:
                counts[word] = counts.get(word, 0) + 1
        self.place = {word: k for k, word in enumerate(sorted(counts))}
        number = np.array([counts[word] for word in self.place], dtype=np.float64)
        self.weights = np.log((len(bags) + 1) / (number + 0.5))


class _Bags:
    """Bags of words [n], as rows over the words that functions have."""

    def __init__(self, bags: Sequence[frozenset[str]], rarity: _Rarity) -> None:
        self._weights = rarity.weights
        self._rows: NDArray[np.float64] = np.zeros((len(bags), len(rarity.place)))
        for i, bag in enumerate(bags):
            at = [rarity.place[word] for word in bag if word in rarity.place]
            self._rows[i, at] = 1.0
        self._total = self._rows @ self._weights

    def shared(self, other: _Bags) -> Floats:
        """Weight [n, m] of the words that rows share with those of another."""
        return np.asarray((self._rows * self._weights) @ other._rows.T)

    def covered_by(self, other: _Bags) -> Floats:
        """Share [n, m] of the weight of each row that rows of another have."""
        return np.asarray(self.shared(other) / np.maximum(self._total, 1e-9)[:, None])

    def alike(self, other: _Bags) -> Floats:
        """Weight [n, m] of what both have over what either has."""
        shared = self.shared(other)
        either = self._total[:, None] + other._total[None, :] - shared
        return np.asarray(shared / np.maximum(either, 1e-9))


class _Mentions:
    """Names by which texts call functions: those of functions and of classes, as code has them."""

    def __init__(self, functions: Sequence[Function]) -> None:
        self._count = len(functions)
        self._called: dict[str, list[int]] = {}
        for i, f in enumerate(functions):
            parts = f.name.split(".")
            for part in {parts[-1], parts[-2] if len(parts) > 1 else parts[-1], f.name}:
                if _telling(part):
                    self._called.setdefault(part.lower(), []).append(i)

    def of(self, texts: Sequence[frozenset[str]]) -> Floats:
        """Plainness with which each text [n] names each function [m]: 1 where it names it alone."""
        found = np.zeros((len(texts), self._count))
        for i, text in enumerate(texts):
            said = [word for word in text if word.lower() in self._called]
            for word in said:
                found[i, self._called[word.lower()]] = 1.0
            if said:
                found[i] /= len(said) ** 0.5
        return found


def _telling(name: str) -> bool:
    return len(name) > 3 and name.lower() not in _COMMON and not name.startswith("__")


def _symbols(formulas: Sequence[frozenset[str]], code: Sequence[frozenset[str]]) -> Floats:
    """Share [n, m] of a formula's symbols that identifiers of a function stand for."""
    distinct = sorted(set().union(*formulas)) if formulas else []
    if not distinct:
        return np.zeros((len(formulas), len(code)))
    stands = np.array(
        [[bool(symbol_words([s]) & words) for words in code] for s in distinct], float
    )
    weights = np.log((len(code) + 1) / (stands.sum(axis=1) + 0.5))
    rows = np.array([[s in formula for s in distinct] for formula in formulas], float)
    total = rows @ weights
    return np.asarray(((rows * weights) @ stands) / np.maximum(total, 1e-9)[:, None])


def _of_callers(named: Floats, calls: Mapping[int, Iterable[int]]) -> Floats:
    """The most that is said of a function by its callers' names [n, m]."""
    found = np.zeros_like(named)
    for caller, callees in calls.items():
        for callee in callees:
            if callee != caller:
                found[:, callee] = np.maximum(found[:, callee], named[:, caller])
    return found


def _pooled(sections: Sequence[str], bags: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """The union of the bags of a section, for each of its passages."""
    whole: dict[str, set[str]] = {}
    for section, bag in zip(sections, bags, strict=True):
        whole.setdefault(section, set()).update(bag)
    frozen = {section: frozenset(bag) for section, bag in whole.items()}
    return [frozen[section] for section in sections]


def _identifiers(text: str) -> frozenset[str]:
    return frozenset(_IDENTIFIER.findall(text.replace(".", " "))) | frozenset(text.split())


def _without_maths(text: str) -> str:
    return re.sub(r"\$[^$]*\$", " ", text)
