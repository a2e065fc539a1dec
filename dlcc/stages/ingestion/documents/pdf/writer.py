"""Writer of a PDF's parts as blocks and formulas, which names what it cannot read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from dlcc.stages.ingestion.documents.page import MATHS, Page
from dlcc.stages.ingestion.documents.pdf.formula_lines import (
    equation_number,
    formula_of,
    is_equation_number,
)
from dlcc.stages.ingestion.documents.pdf.lines import Line
from dlcc.stages.ingestion.documents.pdf.parts import BULLET, NUMBERED, Part
from dlcc.stages.ingestion.documents.pdf.ruled_tables import RuledTable
from dlcc.stages.ingestion.documents.pdf.text import line_text, plain

PLACE = 1_000
"""Factor of the page in a place: line 3,012 is the 12th block of page 3."""
_FEW = 5  # signs
_JOINED = re.compile(r"[a-zà-ÿ]-$")


class Writer:
    """Writer of blocks into a page, which counts what it cannot read."""

    def __init__(self, page: Page, parts: Sequence[Part | RuledTable]) -> None:
        self._page, self._parts = page, parts
        self._unread: list[str] = []
        self._count: Counter[int] = Counter()
        self._lines: dict[int, list[Line]] = {}
        for part in parts:
            for line in part.lines if isinstance(part, Part) else ():
                self._lines.setdefault(line.sheet, []).append(line)
        sizes = {
            round(p.lines[0].size, 1) for p in parts if isinstance(p, Part) and p.kind == "heading"
        }
        self._sizes = sorted(sizes, reverse=True)
        words = (plain(line) for p in parts if isinstance(p, Part) for line in p.lines)
        self._compounds = set(re.findall(r"[A-Za-z]+-[a-z]+", " ".join(words)))

    def write(self) -> list[str]:
        """Write all parts; returns sentences about what was not read."""
        k = 0
        while k < len(self._parts):
            part = self._parts[k]
            if isinstance(part, RuledTable):
                self._table(part)
            elif part.kind == "formula":
                run = [part.lines[0]]
                for following in self._parts[k + 1 :]:
                    if isinstance(following, RuledTable) or following.kind != "formula":
                        break
                    run += following.lines
                    k += 1
                self._formulas(run)
            elif part.kind == "heading":
                self._heading(part)
            elif part.kind == "code":
                first = part.lines[0]
                left = min(line.x0 for line in part.lines)
                width = median(g.x1 - g.x0 for line in part.lines for g in line.glyphs) or 1.0
                indents = [round((line.x0 - left) / width) for line in part.lines]
                text = "\n".join(
                    " " * n + plain(line) for n, line in zip(indents, part.lines, strict=True)
                )
                self._page.block("code", self._place(first.sheet), text)
            else:
                text, maths = self._joined(part.lines)
                place = self._place(part.lines[0].sheet)
                if part.kind == "list":
                    text = BULLET.sub("", text, count=1)
                its = [(latex, place) for latex in maths]
                self._page.prose(place, text, its, listed=part.kind == "list")
            k += 1
        return self._unread

    def _place(self, sheet: int) -> int:
        self._count[sheet] += 1
        return PLACE * sheet + min(self._count[sheet], PLACE - 1)

    def _heading(self, part: Part) -> None:
        text, maths = self._joined(part.lines)
        match = NUMBERED.match(text)
        level = match[1].count(".") + 1 if match else 1
        if match is None and len(self._sizes) > 1:
            level = min(6, self._sizes.index(round(part.lines[0].size, 1)) + 1)
        for latex in maths:
            text = text.replace(MATHS, f"${latex}$", 1)
        self._page.heading(level, text, self._place(part.lines[0].sheet))

    def _joined(self, lines: Sequence[Line]) -> tuple[str, list[str]]:
        """Join the lines of a paragraph; a word that was cut at a line's end is one again."""
        text, maths = "", []
        for line in lines:
            words, its = line_text(line)
            maths += its
            if _JOINED.search(text) and words[:1].islower():
                head = re.findall(r"[A-Za-z]+-$", text)
                tail = re.match(r"[a-z]+", words)
                compound = f"{head[0]}{tail[0]}" if head and tail else ""
                text = (text if compound in self._compounds else text[:-1]) + words
            else:
                text = f"{text} {words}" if text else words
        return text, maths

    def _formulas(self, lines: Sequence[Line]) -> None:
        """Write formulas that follow each other; a line that begins with an operator goes on."""
        groups: list[list[Line]] = []
        for line in lines:
            bare = equation_number(line)[0]
            first = min(bare.glyphs, key=lambda g: g.x0).text
            close = groups and groups[-1][-1].sheet == line.sheet
            gap = groups[-1][-1].low - line.high if close else 0.0
            if close and first in "+−-=≤≥<>≈·×" and gap < 1.8 * line.size:
                groups[-1].append(bare)
            else:
                groups.append([bare])
        for group in groups:
            place = self._place(group[0].sheet)
            latex, why = formula_of(group)
            if not why and any(self._has_strays(line) for line in group):
                why = "signs beside it belong to no part of it"
            if why:
                self._page.unread_formula(latex, place, why)
                page, line_number = divmod(place, PLACE)
                self._unread.append(
                    f"the formula at page {page}, line {line_number} was found and not read: {why}"
                )
            else:
                self._page.formula(latex, place)

    def _has_strays(self, line: Line) -> bool:
        """Whether another line reaches into a formula's: one of them may lack what it has.

        A few signs above or below it may be its limits, too.
        """
        own = self._ids(line)
        for other in self._lines[line.sheet]:
            if other.column != line.column or not own.isdisjoint(self._ids(other)):
                continue
            margin = (-0.45 if len(other.glyphs) <= _FEW else 0.15) * line.size
            inside = line.low + margin < other.y + 0.25 * other.size < line.high - margin
            beside = min(line.x1, other.x1) - max(line.x0, other.x0) > -line.size
            if inside and beside and not is_equation_number(plain(other)):
                return True
        return False

    @staticmethod
    def _ids(line: Line) -> set[int]:
        return {id(glyph) for glyph in line.glyphs}

    def _table(self, table: RuledTable) -> None:
        rows = [[self._cell(cell) for cell in row] for row in table.cells]
        self._page.table(rows, self._place(table.sheet))

    def _cell(self, lines: Sequence[Line]) -> str:
        text, maths = self._joined(sorted(lines, key=lambda line: (-round(line.y), line.x0)))
        for latex in maths:
            text = text.replace(MATHS, f"${latex}$", 1)
        return text
