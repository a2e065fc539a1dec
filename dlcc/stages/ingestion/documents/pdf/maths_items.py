"""Items of a formula: glyphs with their LaTeX, accents on the letters that they lie above."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dlcc.stages.ingestion.documents.pdf.sheet import Glyph
from dlcc.stages.ingestion.documents.pdf.signs import (
    ACCENTS,
    LARGE,
    is_italic,
    is_maths_font,
    is_sized,
    latex_of,
)

_LIGATURES = {"ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl"}


class Unbuilt(Exception):  # noqa: N818  # an outcome: the formula is named as found but not read
    """Formula that cannot be rebuilt whole; the message says why."""


@dataclass(frozen=True)
class Item:
    """Part of a formula that is written already."""

    latex: str
    x0: float
    x1: float
    y: float | None
    """Baseline; None of a fraction or a root, which stand where they are put."""
    axis: float
    """Height at which a fraction's rule would lie."""
    size: float
    low: float
    high: float
    kind: str = "sign"
    """Sort of part: sign, letter (upright, of a word), digit, large, root, fence (a bracket of
    any size), composite."""


def with_accents(glyphs: Sequence[Glyph]) -> list[Item | Glyph]:
    """Put accents on the glyphs that they lie above; others stay."""
    accents = [g for g in glyphs if g.text.strip() in ACCENTS]
    rest = [g for g in glyphs if g.text.strip() not in ACCENTS]
    marks: dict[int, list[Glyph]] = {}
    for accent in accents:
        base = _under(accent, rest)
        if base is None:
            rest.append(accent)
        else:
            marks.setdefault(id(base), []).append(accent)
    found: list[Item | Glyph] = []
    for glyph in rest:
        its = marks.get(id(glyph))
        if not its:
            found.append(glyph)
            continue
        item = item_of(glyph)
        for accent in sorted(its, key=lambda g: g.y):
            item = replace(item, latex=f"{ACCENTS[accent.text.strip()]}{{{item.latex}}}")
        found.append(replace(item, kind="sign"))
    return found


def _under(accent: Glyph, glyphs: Sequence[Glyph]) -> Glyph | None:
    """Glyph that an accent lies above; None where it stands by itself."""
    width = accent.x1 - accent.x0
    best: tuple[float, Glyph] | None = None
    for glyph in glyphs:
        if abs(glyph.size - accent.size) > 0.2 * glyph.size or not glyph.text.isalpha():
            continue
        if not -0.1 * glyph.size <= accent.y - glyph.y <= 0.45 * glyph.size:
            continue
        if width < 0.05 * accent.size:  # drawn to the left of its place
            off = accent.x0 - 0.3 * accent.size - glyph.middle
            near = -0.35 * glyph.size <= off <= 0.5 * glyph.size
        else:
            off = accent.middle - glyph.middle
            covered = min(accent.x1, glyph.x1) - max(accent.x0, glyph.x0)
            near = covered > 0.5 * min(width, glyph.x1 - glyph.x0)
        if near and (best is None or abs(off) < best[0]):
            best = (abs(off), glyph)
    return best[1] if best else None


def item_of(glyph: Glyph) -> Item:
    """Make an item of a glyph; Unbuilt is raised for a sign that is not known."""
    latex = latex_of(glyph.text, glyph.font)
    kind = "sign"
    if glyph.text in LARGE:
        latex, kind = LARGE[glyph.text], "large"
    elif glyph.text == "√":
        latex, kind = "√", "root"
    elif is_sized(glyph.font) and glyph.text in "()[]{}|‖∣":
        kind = "fence"
    elif glyph.text.isdigit() or glyph.text == ".":
        kind = "digit"
    elif glyph.text in ("ﬁ", "ﬂ", "ﬀ", "ﬃ", "ﬄ"):
        latex, kind = (
            {"ﬁ": "fi", "ﬂ": "fl", "ﬀ": "ff", "ﬃ": "ffi", "ﬄ": "ffl"}[glyph.text],
            "letter",
        )
    elif glyph.text.isascii() and glyph.text.isalpha():
        upright = not is_maths_font(glyph.font) and not is_italic(glyph.font)
        kind = "letter" if upright else "sign"
    if latex is None:
        raise Unbuilt(f"the sign {glyph.text or glyph.name or '?'!r} of {glyph.font} is not known")
    axis = glyph.y + 0.25 * glyph.size
    return Item(latex, glyph.x0, glyph.x1, glyph.y, axis, glyph.size, glyph.low, glyph.high, kind)
