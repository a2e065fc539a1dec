"""Text of a line's glyphs: words by their distances, formulas in line by their fonts and places."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from dlcc.stages.ingestion.documents.page import MATHS
from dlcc.stages.ingestion.documents.pdf.lines import Line
from dlcc.stages.ingestion.documents.pdf.maths_items import Unbuilt
from dlcc.stages.ingestion.documents.pdf.maths_layout import build_latex, closed
from dlcc.stages.ingestion.documents.pdf.sheet import Glyph
from dlcc.stages.ingestion.documents.pdf.signs import LARGE, is_maths_font

_SPACE = 0.15  # ems between words
_SMALL = 0.87
_NO_MATHS = frozenset("•◦▪‣∗†‡§¶©●○■–—*⋆✓✗")
_BESIDE = re.compile(r"[-+=/|<>()\[\]0-9.,:ˆ˜¯]")
_ALONE = re.compile(r"[+=/|<>)\].,:;]")
_COMBINING = {
    "´": "\u0301", "`": "\u0300", "¨": "\u0308", "ˆ": "\u0302", "˜": "\u0303", "¸": "\u0327",
    "ˇ": "\u030c", "˚": "\u030a", "¯": "\u0304", "˘": "\u0306", "˝": "\u030b",
}  # fmt: skip


def line_text(line: Line) -> tuple[str, list[str]]:
    """Read a line of text.

    Returns:
        Text with `MATHS` for each formula in it, and the LaTeX of these formulas.
    """
    glyphs = _composed(sorted(line.glyphs, key=lambda g: (g.x0, g.x1)))
    marked = _maths_runs(glyphs, line)
    parts: list[str] = []
    found: list[str] = []
    at, end = 0, None
    while at < len(glyphs):
        stop = at + 1
        while stop < len(glyphs) and marked[stop] == marked[at]:
            stop += 1
        run = glyphs[at:stop]
        if end is not None and run[0].x0 - end > _SPACE * line.size:
            parts.append(" ")
        text, latex = _run(run, line) if marked[at] else (_words(run, line.size), [])
        parts.append(text)
        found += latex
        at, end = stop, max(g.x1 for g in run)
    return "".join(parts), found


def plain(line: Line) -> str:
    """Text of a line without LaTeX, its glyphs in order from left to right."""
    return _words(_composed(sorted(line.glyphs, key=lambda g: (g.x0, g.x1))), line.size)


def is_maths(glyph: Glyph) -> bool:
    """Whether a glyph is a sign of formulas by its font or by itself."""
    if glyph.text in _NO_MATHS:
        return False
    if is_maths_font(glyph.font) or glyph.text in LARGE or not glyph.text:
        return True
    category = unicodedata.category(glyph.text[0])
    greek = "\u0370" <= glyph.text[0] <= "\u03ff"
    return (category == "Sm" and glyph.text not in "+<=>|~¬±×") or greek


def _words(glyphs: Sequence[Glyph], size: float) -> str:
    """Join glyphs, with a blank where they are apart."""
    parts: list[str] = []
    end: float | None = None
    for glyph in glyphs:
        if end is not None and glyph.x0 - end > _SPACE * size:
            parts.append(" ")
        parts.append(glyph.text or "\ufffd")
        end = glyph.x1 if end is None else max(end, glyph.x1)
    text = unicodedata.normalize("NFKC", "".join(parts).replace("¨", "\x04"))
    return text.replace("\x04", "¨").replace("\u2212", "-")


def _composed(glyphs: list[Glyph]) -> list[Glyph]:
    """Put accents that were drawn by themselves on their letters."""
    if not any(g.text in _COMBINING for g in glyphs):
        return glyphs
    found: list[Glyph] = []
    waiting: list[Glyph] = []
    for glyph in glyphs:
        if glyph.text in _COMBINING:
            waiting.append(glyph)
            continue
        if waiting and glyph.text.isalpha():
            accent = waiting[-1]
            covered = min(accent.x1, glyph.x1) - max(accent.x0, glyph.x0)
            if covered > 0.4 * (accent.x1 - accent.x0) and not is_maths_font(glyph.font):
                waiting.pop()
                text = unicodedata.normalize("NFC", glyph.text + _COMBINING[accent.text])
                glyph = Glyph(
                    text, glyph.name, glyph.font, glyph.size, glyph.x0, glyph.x1, glyph.y,
                    glyph.low, glyph.high,
                )  # fmt: skip
        found.append(glyph)
    return sorted([*found, *waiting], key=lambda g: (g.x0, g.x1))


def _maths_runs(glyphs: Sequence[Glyph], line: Line) -> list[bool]:
    """Mark the glyphs of formulas: signs, what is raised or lowered, and digits and brackets
    between these."""
    core = [is_maths(g) for g in glyphs]
    moved = [abs(g.y - line.y) > 0.09 * line.size and g.size < 1.05 * line.size for g in glyphs]
    marked = [a or b for a, b in zip(core, moved, strict=True)]
    for order in (range(1, len(glyphs)), range(len(glyphs) - 2, -1, -1)):
        for k in order:
            neighbour = k - 1 if order.step > 0 else k + 1
            close = abs(glyphs[k].middle - glyphs[neighbour].middle) < 1.15 * line.size
            if marked[neighbour] and close and _BESIDE.fullmatch(glyphs[k].text or " "):
                marked[k] = True
    _with_functions(glyphs, marked, line.size)
    return marked


def _with_functions(glyphs: Sequence[Glyph], marked: list[bool], size: float) -> None:
    """Mark names such as log between marked glyphs."""
    text = "".join((g.text or "?")[:1] for g in glyphs)
    for match in re.finditer(r"log|exp|max|min", text):
        a, b = match.span()
        after = b < len(glyphs) and marked[b] and glyphs[b].x0 - glyphs[b - 1].x1 < 0.4 * size
        if a > 0 and marked[a - 1] and after:
            marked[a:b] = [True] * (b - a)


def _run(glyphs: Sequence[Glyph], line: Line) -> tuple[str, list[str]]:
    """Write a run of a formula's glyphs; as plain text where it is none or not understood."""
    start, stop = 0, len(glyphs)
    while (
        start < stop and _ALONE.fullmatch(glyphs[start].text or "?") and glyphs[start].text != "-"
    ):
        start += 1
    while stop > start and re.fullmatch(r"[.,:;(\[]", glyphs[stop - 1].text or "?"):
        stop -= 1
    for first, last in _balanced(glyphs, start, stop):
        its = glyphs[first:last]
        if not any(is_maths(g) for g in its):
            break
        x0, x1 = its[0].x0 - 2, max(g.x1 for g in its) + 2
        try:
            rules = [r for r in line.rules if x0 <= r.x0 and r.x1 <= x1]
            latex = closed(build_latex(its, rules))
        except Unbuilt:
            continue
        before, after = glyphs[:first], glyphs[last:]
        return _words(before, line.size) + MATHS + _words(after, line.size), [latex]
    return _words(glyphs, line.size), []


def _balanced(glyphs: Sequence[Glyph], start: int, stop: int) -> list[tuple[int, int]]:
    """List stretches to try: the whole, and without a bracket at an end that has no partner."""
    text = [g.text for g in glyphs[start:stop]]
    found = [(start, stop)]
    if text.count(")") + text.count("]") > text.count("(") + text.count("["):
        found.append((start, stop - 1))
    if text and text[-1] == ")" and text.count("(") == text.count(")") and text[0] == "(":
        found.append((start + 1, stop - 1))
    return found
