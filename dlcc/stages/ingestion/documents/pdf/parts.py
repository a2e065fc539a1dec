"""Parts of a PDF's text: lines that make one heading, paragraph, item, piece of code, formula."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from dlcc.stages.ingestion.documents.pdf.formula_lines import is_display, is_equation_number
from dlcc.stages.ingestion.documents.pdf.lines import Line
from dlcc.stages.ingestion.documents.pdf.ruled_tables import RuledTable
from dlcc.stages.ingestion.documents.pdf.signs import is_bold, is_monospaced, is_small_caps
from dlcc.stages.ingestion.documents.pdf.text import plain

_LARGER, _LONGEST_HEADING = 1.12, 200
NUMBERED = re.compile(r"((?:\d{1,2}|[A-Z])(?:\.\d{1,2}){0,3})\.?\s+\S")
_CAPTION = re.compile(r"(?:Table|Figure|Fig\.|Tab\.|Algorithm)\s*(?:\d+|[IVX]+)\s*[:.|]")
BULLET = re.compile(r"[•▪‣◦●■–∗⋆▸\ufffd]\s*|(?:\(?(?:\d{1,2}|[a-z]|[ivx]{2,4})\)|\d{1,2}\.)\s+")
_ENDS = re.compile(r"[.!?:;][\"')\]”’]*$")

Kind = Literal["heading", "prose", "list", "code", "formula"]


@dataclass
class Part:
    """Lines that make one block."""

    kind: Kind
    lines: list[Line] = field(default_factory=list)
    floats: bool = False
    """Whether it is a caption, which may stand in the middle of a paragraph."""


@dataclass
class Style:
    """Usual look of a document's text."""

    size: float
    leading: float
    indented: bool


def style_of(lines: Sequence[Line]) -> Style:
    """Tell the usual size, distance of lines and sort of paragraphs."""
    sizes: Counter[float] = Counter()
    steps: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size * 2) / 2] += len(line.glyphs)
    size = sizes.most_common(1)[0][0] if sizes else 10.0
    body = [line for line in lines if abs(line.size - size) < 0.5]
    for a, b in itertools.pairwise(body):
        if a.column == b.column and 0.8 * size < a.y - b.y < 2.5 * size:
            steps[round((a.y - b.y) * 2) / 2] += 1
    leading = steps.most_common(1)[0][0] if steps else 1.2 * size
    close = [
        (a, b)
        for a, b in itertools.pairwise(body)
        if a.column == b.column and abs(a.y - b.y - leading) < 0.2 * leading
    ]
    first = sum(_is_indented(b) and not _is_indented(a) for a, b in close)
    return Style(size, leading, first >= max(2, 0.03 * len(close)))


def _is_indented(line: Line) -> bool:
    return 0.7 * line.size < line.x0 - line.column[0] < 4 * line.size


def parts_of(items: Sequence[Line | RuledTable], style: Style) -> list[Part | RuledTable]:
    """Group lines to blocks."""
    parts: list[Part | RuledTable] = []
    previous: Line | None = None
    for item in items:
        if isinstance(item, RuledTable):
            parts.append(item)
            previous = None
            continue
        last = parts[-1] if parts and isinstance(parts[-1], Part) else None
        if last is not None and last.kind == "formula" and is_equation_number(plain(item)):
            continue  # it was too wide for its number
        kind = _kind(item, style, last, previous)
        if (
            last is not None
            and previous is not None
            and _goes_on(item, kind, last, previous, style)
        ):
            last.lines.append(item)
        else:
            parts.append(Part(kind, [item], bool(_CAPTION.match(plain(item)))))
        previous = item
    return _mended(parts, style)


def _kind(line: Line, style: Style, last: Part | None, previous: Line | None) -> Kind:
    letters = [g for g in line.glyphs if g.text.isalpha()]
    if len(letters) >= 2 and all(is_monospaced(g.font) for g in letters):
        return "code"
    if is_display(line):
        return "formula"
    text = plain(line)
    if _is_heading(line, text, style):
        return "heading"
    indent = line.x0 - line.column[0]
    if (bullet := BULLET.match(text)) is not None:
        marked = not bullet[0][0].isalnum() and bullet[0][0] != "("
        if (marked and len(text) > 2) or indent > 0.4 * line.size:
            return "list"
    hanging = last is not None and last.kind == "list" and previous is not None
    if hanging and previous is not None and last is not None:
        close = 0 < previous.y - line.y < 1.4 * style.leading
        if close and line.x0 > last.lines[0].x0 + 0.4 * line.size:
            return "list"
    return "prose"


def _is_heading(line: Line, text: str, style: Style) -> bool:
    letters = [g for g in line.glyphs if g.text.isalpha()]
    if not letters or len(text) > _LONGEST_HEADING or _CAPTION.match(text):
        return False
    bold = sum(is_bold(g.font) for g in letters) >= 0.95 * len(letters)
    large = line.size > _LARGER * style.size
    numbered = NUMBERED.match(text) is not None
    if numbered and all(is_small_caps(g.font) for g in letters):
        return True
    if large:
        return True
    if text.endswith((".", ",", ";")) and not numbered:
        return False
    return bold and line.size > 0.95 * style.size


def _goes_on(line: Line, kind: Kind, last: Part, previous: Line, style: Style) -> bool:
    """Whether a line goes on with the block of the line before it."""
    if kind != last.kind:
        return False
    same_column = previous.sheet == line.sheet and previous.column == line.column
    step = previous.y - line.y
    if kind == "code":
        return not same_column or 0 < step < 1.9 * style.leading
    if kind == "formula":
        return False  # joined later, by their signs
    if kind == "heading":
        same = abs(previous.size - line.size) < 0.5 and 0 < step < 1.6 * line.size
        return same_column and same and NUMBERED.match(plain(line)) is None
    if kind == "list" and BULLET.match(plain(line)) and line.x0 < last.lines[0].x0 + 3:
        return False
    if last.floats and not same_column:
        return False
    if abs(previous.size - line.size) > 0.08 * style.size or _CAPTION.match(plain(line)):
        return False
    if not same_column:
        open_ended = not _ENDS.search(plain(previous))
        return open_ended or (style.indented and not _is_indented(line) and kind == "prose")
    if not 0 < step < 1.32 * max(style.leading, 1.1 * line.size):
        return False
    starts = _is_indented(line) and not _is_indented(previous) and kind == "prose"
    return not (starts and (style.indented or _ENDS.search(plain(previous))))


def _mended(parts: Sequence[Part | RuledTable], style: Style) -> list[Part | RuledTable]:
    """Give a paragraph back what a table or a caption in its midst cut off."""
    found: list[Part | RuledTable] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, RuledTable) and isinstance(last, RuledTable) and last.continues(part):
            last.cells += part.cells
            last.sheet_of_end = part.sheet
            continue
        if isinstance(part, Part) and part.kind == "prose" and not part.floats:
            between = 0
            for earlier in reversed(found):
                if isinstance(earlier, RuledTable) or earlier.floats:
                    between += 1
                    continue
                text = plain(part.lines[0])
                cut = earlier.kind == "prose" and not _ENDS.search(plain(earlier.lines[-1]))
                same = abs(earlier.lines[-1].size - part.lines[0].size) < 0.08 * style.size
                if between and cut and same and text[:1].islower():
                    earlier.lines += part.lines
                    part = Part("prose")
                break
            if not part.lines:
                continue
        found.append(part)
    return found
