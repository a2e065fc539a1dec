"""Lines of displayed formulas: told from text, without their numbers, written as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dlcc.stages.ingestion.documents.pdf.lines import Line
from dlcc.stages.ingestion.documents.pdf.maths_items import Unbuilt
from dlcc.stages.ingestion.documents.pdf.maths_layout import build_latex, closed
from dlcc.stages.ingestion.documents.pdf.sheet import Glyph
from dlcc.stages.ingestion.documents.pdf.signs import is_italic, latex_of
from dlcc.stages.ingestion.documents.pdf.text import is_maths

_SHARE = 0.25  # of signs, from which a line may be a formula
_NUMBER = re.compile(r"\((?:[A-Z]\.?)?\d{1,3}(?:\.\d{1,3})?[a-z]?\)")
_FUNCTIONS = frozenset(
    [
        "log",
        "ln",
        "exp",
        "max",
        "min",
        "sup",
        "inf",
        "arg",
        "tanh",
        "sin",
        "cos",
        "lim",
        "softmax",
        "softplus",
    ]
)
_MOST_WORDS, _MOST_PROSE = 5, 0.34


def equation_number(line: Line) -> tuple[Line, str]:
    """Cut the number beside a formula off: the rest, and the number or ''."""
    glyphs = sorted(line.glyphs, key=lambda g: (g.x0, g.x1))
    for k in range(len(glyphs) - 1, max(0, len(glyphs) - 10), -1):
        gap = glyphs[k].x0 - max(g.x1 for g in glyphs[:k])
        if gap > 0.35 * line.size:
            flush = gap > 0.8 * line.size or line.column[1] - line.x1 < 0.5 * line.size
            if flush and is_equation_number("".join(g.text for g in glyphs[k:])):
                return _part(line, glyphs[:k]), "".join(g.text for g in glyphs[k:])
            break
    return _left_number(line, glyphs)


def _left_number(line: Line, glyphs: list[Glyph]) -> tuple[Line, str]:
    """Cut a number off that stands to the left of a formula, as some journals have it."""
    if line.x0 - line.column[0] > 0.5 * line.size:
        return line, ""
    for k in range(1, min(len(glyphs) - 2, 9)):
        if glyphs[k].x0 - glyphs[k - 1].x1 > 0.5 * line.size:
            number = "".join(g.text for g in glyphs[:k])
            if is_equation_number(number) and len(glyphs) - k >= 3:
                return _part(line, glyphs[k:]), number
            break
    return line, ""


def _part(line: Line, glyphs: list[Glyph]) -> Line:
    """Make a line of some of its glyphs."""
    rest = Line(glyphs, line.rules).settled()
    rest.column, rest.sheet, rest.height = line.column, line.sheet, line.height
    return rest


def is_equation_number(text: str) -> bool:
    """Whether a text is the number of a formula, such as (3) or (2.1a)."""
    return _NUMBER.fullmatch(text.strip()) is not None


def is_display(line: Line) -> bool:
    """Whether a line is a formula that stands by itself."""
    bare, number = equation_number(line)
    glyphs = sorted(bare.glyphs, key=lambda g: (g.x0, g.x1))
    if len(glyphs) < 3:
        return False
    words, letters = _prose(glyphs, bare.size)
    share = sum(_is_sign(g, bare) for g in glyphs) / len(glyphs)
    prose = letters / len(glyphs)
    if prose > _MOST_PROSE or words > _MOST_WORDS:
        return False
    if number:
        return share >= 0.6 * _SHARE
    indent = bare.x0 - bare.column[0]
    room = bare.column[1] - bare.x1
    has_relation = any(g.text in "=≤≥<>≈∼→∝≡" for g in glyphs if g.text)
    if share < _SHARE:
        return False
    if words == 0 and has_relation:
        return share > 0.5 or indent > 0.7 * bare.size
    centred = indent > 1.2 * bare.size and room > 0.8 * bare.size
    return centred and (has_relation or words == 0)


def formula_of(lines: Sequence[Line]) -> tuple[str, str]:
    """Write a formula of one or more lines.

    Returns:
        Its LaTeX and ''; or its signs from left to right and the reason why it is not rebuilt.
    """
    try:
        latex = " ".join(build_latex(line.glyphs, line.rules) for line in lines)
        return closed(latex.rstrip(" .,;")), ""
    except Unbuilt as reason:
        signs = [
            latex_of(g.text, g.font) or g.text or "?"
            for line in lines
            for g in sorted(line.glyphs, key=lambda g: g.x0)
        ]
        return " ".join(signs), str(reason)


def _is_sign(glyph: Glyph, line: Line) -> bool:
    """Whether a glyph speaks for a formula: by its font, as a script, or a letter in italics."""
    if is_maths(glyph) or glyph.text in ("=", "+"):
        return True
    single = glyph.text.isalpha() and is_italic(glyph.font)
    return single or (glyph.size < 0.87 * line.size and abs(glyph.y - line.y) > 0.1 * line.size)


def _prose(glyphs: Sequence[Glyph], size: float) -> tuple[int, int]:
    """Count words of three letters or more that are no function's name, and their letters."""
    words: list[str] = [""]
    previous: Glyph | None = None
    for glyph in glyphs:
        letters = glyph.text.isalpha() and not is_maths(glyph) and glyph.size > 0.87 * size
        gap = previous is not None and glyph.x0 - previous.x1 > 0.15 * size
        if not letters or gap:
            words.append("")
        if letters:
            words[-1] += glyph.text
        previous = glyph
    real = [w for w in words if len(w) >= 3 and w not in _FUNCTIONS]
    return len(real), sum(len(w) for w in real)
