"""Passages of documents that may be about code: formulas and sentences, with what stands around."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from dlcc.records import Block, Dossier, Formula
from dlcc.stages.decomposition.documents import formula_ids, sentence_ids

_MATHS = re.compile(r"\$([^$]*)\$")
_RELATION = re.compile(r"=|\\leq?\b|\\geq?\b|\\propto|\\approx|\\sim|:=|\\to\b")
_SHORTEST = 9  # signs of a formula in a line that states something


@dataclass(frozen=True)
class Passage:
    """Formula or sentence that may be about a function."""

    id: str
    latex: str
    """LaTeX of the formula, or of all formulas in the sentence."""
    said: str
    """Sentence itself, or the one that brings the formula in."""
    heading: str
    """Heading right above."""
    section: str
    """Place of the section."""
    block: int = 0
    """Number of the block among those of its document."""


def passages_of(dossier: Dossier) -> list[Passage]:
    """List a dossier's formulas that state something, then its sentences."""
    at = _Blocks(dossier.blocks)
    found = []
    for id_, formula in zip(formula_ids(dossier), dossier.formulas, strict=True):
        if states_something(formula):
            found.append(
                at.passage(id_, formula.file, formula.line, formula.latex, formula.context)
            )
    for id_, text in sentence_ids(dossier).items():
        file, place = id_.removeprefix("sentence:").rsplit(":", 1)
        latex = " ".join(_MATHS.findall(text))
        found.append(at.passage(id_, file, int(place.partition(".")[0]), latex, text))
    return found


class _Blocks:
    """Blocks of each document, in their order."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._lines: dict[str, list[int]] = {}
        self._sections: dict[str, list[str]] = {}
        for block in blocks:
            self._lines.setdefault(block.file, []).append(block.line)
            self._sections.setdefault(block.file, []).append(block.section)

    def passage(self, id_: str, file: str, line: int, latex: str, said: str) -> Passage:
        """Make a passage at a line: it belongs to the last block that begins there or before."""
        number = bisect_right(self._lines.get(file, []), line) - 1
        section = self._sections[file][number] if number >= 0 else ""
        heading = section.rpartition(" > ")[2]
        return Passage(id_, latex, said, heading, f"{file}#{section}", max(number, 0))


def states_something(formula: Formula) -> bool:
    """Whether a formula states something: displayed, or a relation of more than a few signs."""
    if formula.unread:
        return False
    bare = re.sub(r"\s+", "", formula.latex)
    return (formula.displayed and len(bare) > 3) or (
        len(bare) >= _SHORTEST and bool(_RELATION.search(bare))
    )
