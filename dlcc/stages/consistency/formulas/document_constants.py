"""Constants that a document states: beside a formula, in sentences and in tables.

A constant is taken only where it is set, as in `we use $\\lambda = 10$`. What a sentence says of a
constant that might be, `for $\\beta = 1$ one has a plain VAE`, states nothing, nor does a letter
that stands for a rate or a moment of an optimiser.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from dlcc.records import Block, Formula
from dlcc.stages.consistency.cells import read_cell
from dlcc.stages.consistency.formulas.latex import parse_expression, split_at_equals
from dlcc.stages.consistency.formulas.latex_tokens import LONGEST_DISPLAY, UnknownFormula

_NOT_SET = re.compile(
    r"\b(?:if|when|for (?!all|the|our|both)|recover|corresponds? to|reduces?|e\.g\.|example"
    r"|original|ablat|var(?:y|ied|ying)|sweep|between|from .* to|instead of|rather than|would"
    r"|without|otherwise|limit|larger|smaller|in their|they)",
    re.IGNORECASE,
)
_OF_OPTIMISER = re.compile(
    r"learning rate|step size|Adam|RMSprop|SGD|optimi[sz]er|momentum|schedul|decay|\bEMA\b|average"
    r"|(?:times|steps|updates|iterations) (?:per|of)|epoch",
    re.IGNORECASE,
)
_OF_OTHERS = re.compile(
    r"\bprior\b|\buses\b|\[\d[\d, ]*\]|\\cite|et al|\(\w+,? \d{4}\)", re.IGNORECASE
)
_OURS = re.compile(r"\bwe\b", re.IGNORECASE)
_UNICODE = {
    "λ": "lambda",
    "γ": "gamma",
    "α": "alpha",
    "β": "beta",
    "μ": "mu",
    "η": "eta",
    "δ": "delta",
}
_NUMBER = r"[-+]?\d*\.?\d+(?:e[-+]?\d+|\s*(?:\\times|\\cdot|×)\s*10\s*\^\s*\{?\s*-?\d+\s*\}?)?"
_NAME = (
    r"(?:(?<![\w\\])\\?(?:lambda|gamma|alpha|beta|delta|kappa|tau|rho)|(?<=\$)[wabc])"
    r"(?:_\{?(?:\\[a-z]+\s*\{)?\w+\}*)?"
)
_SET_IN_WORDS = re.compile(
    rf"\$?({_NAME})\$?\s*(?:[^.;$\d]{{0,60}}?(?:chosen|set|fixed|equal|taken))?"
    rf"\s*(?:to be|to|as|is|at|of|=|:)"
    rf"\s*\$?({_NUMBER})(?![\w.]*\d)"
)
_CLAUSE = re.compile(r";|\bbut\b|\bwhereas\b|\bwhile\b")
_LONGEST_SETTING = 80  # characters of an assignment
_COMMA = re.compile(r",|;|\\q?quad|\\text\s*\{\s*and\s*\}|\band\b")


@dataclass(frozen=True)
class StatedConstant:
    """Constant with the value that a document gives it."""

    name: str
    """Name as formulas have it, such as `lambda_gp`."""
    value: float
    """Value."""
    file: str
    """Document."""
    line: int
    """Line of the statement."""
    section: str = ""
    """Headings that it stands under."""


def document_constants(
    formulas: Iterable[Formula], blocks: Iterable[Block]
) -> tuple[StatedConstant, ...]:
    """List the constants that documents state.

    >>> inline = Formula("a.md", 3, r"\\lambda = 10", False, "We use it with this weight.")
    >>> [(c.name, c.value) for c in document_constants([inline], [])]
    [('lambda', 10.0)]
    """
    blocks = tuple(blocks)
    found = dict.fromkeys(_in_formulas(formulas))
    found |= dict.fromkeys(_in_blocks(blocks))
    return tuple(replace(c, section=section_of(c.file, c.line, blocks)) for c in found)


def section_of(file: str, line: int, blocks: Sequence[Block]) -> str:
    """Find the headings that a line of a document stands under."""
    before = [block for block in blocks if block.file == file and block.line <= line]
    return before[-1].section if before else ""


def constants_for(
    place: str, section: str, stated: Sequence[StatedConstant], configured: Mapping[str, float]
) -> dict[str, float]:
    """Choose the values that constants have in a formula.

    What stands in the same line comes first; else what its section states, where that is one value
    alone; else what the configuration states. Another section may be about another experiment.

    Args:
        place: File and line of the formula, such as `documents/method.md:11`.
        section: Headings that it stands under.
        stated: Constants that documents state.
        configured: Name of a constant -> its value in the configuration.
    """
    file, _, line = place.rpartition(":")
    chosen = dict(configured)
    mine = [c for c in stated if c.file == file and c.section == section]
    for name in {constant.name for constant in mine}:
        values = {constant.value for constant in mine if constant.name == name}
        beside = {c.value for c in mine if c.name == name and str(c.line) == line}
        if len(beside or values) == 1:
            (chosen[name],) = beside or values
        else:
            chosen.pop(name, None)  # several, of which none can be chosen
    return chosen


def _in_formulas(formulas: Iterable[Formula]) -> Iterator[StatedConstant]:
    """Constants that formulas set, in line or beside a displayed one."""
    for formula in formulas:
        if len(formula.latex) > LONGEST_DISPLAY or len(formula.context) > LONGEST_DISPLAY:
            continue
        if not formula.displayed and not _sets(_clause(formula)):
            continue
        for part in _COMMA.split(formula.latex):
            for constant in assignments(part):
                yield StatedConstant(*constant, formula.file, formula.line)


def _in_blocks(blocks: Iterable[Block]) -> Iterator[StatedConstant]:
    """Constants that sentences and the first two columns of tables set."""
    for block in blocks:
        short = (text for text in block.sentences if len(text) <= LONGEST_DISPLAY)
        for sentence in (clause for text in short for clause in _CLAUSE.split(text)):
            if _sets(sentence):
                for match in _SET_IN_WORDS.finditer(_in_ascii(sentence)):
                    for constant in assignments(f"{match[1]} = {match[2]}"):
                        yield StatedConstant(*constant, block.file, block.line)
        for name, value, *_ in (row for row in block.rows if len(row) == 2):
            for constant in assignments(f"{_in_ascii(name).strip('$ ')} = {value.strip('$ ')}"):
                yield StatedConstant(*constant, block.file, block.line)


def _clause(formula: Formula) -> str:
    """Part of a sentence that a formula in line stands in."""
    latex = formula.latex.strip()
    clauses = [c for c in _CLAUSE.split(formula.context) if latex in c]
    return clauses[0] if len(clauses) == 1 else formula.context


def _sets(sentence: str) -> bool:
    """Whether a sentence sets what it names, not for an optimiser, and not in others' work."""
    if _NOT_SET.search(sentence) or _OF_OPTIMISER.search(sentence):
        return False
    return not _OF_OTHERS.search(sentence) or _OURS.search(sentence) is not None


def _in_ascii(text: str) -> str:
    for letter, name in _UNICODE.items():
        text = text.replace(letter, f"\\{name}")
    return text


def assignments(latex: str) -> list[tuple[str, float]]:
    r"""Read `name = number`, or `one = other = number`; nothing for anything else.

    >>> assignments(r"b = c = 10^{-3}"), assignments("a = b")
    ([('b', 0.001), ('c', 0.001)], [])
    """
    *names, value = split_at_equals(latex.strip(" .$()").replace("{=}", "="))
    if not names or len(latex) > _LONGEST_SETTING:
        return []
    try:
        symbols = [parse_expression(name.strip()) for name in names]
        number = _number(value.strip(" .$"))
    except (UnknownFormula, ArithmeticError, TypeError, ValueError, RecursionError):
        return []
    if number is None or not all(isinstance(symbol, sp.Symbol) for symbol in symbols):
        return []
    return [(symbol.name, number) for symbol in symbols]


def _number(text: str) -> float | None:
    cell = read_cell(text)
    if cell.number is not None:
        return cell.number
    value = parse_expression(text)
    return float(value) if value.is_number else None
