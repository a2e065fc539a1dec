"""Lines of a sheet's glyphs in the order in which one reads them, columns one after the other."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dlcc.stages.ingestion.documents.pdf.sheet import Glyph, Rule, Sheet, box
from dlcc.stages.ingestion.documents.pdf.signs import ACCENTS, LARGE, is_sized

_SMALL = 0.87  # ratio of sizes under which a glyph is a script
_FENCES = frozenset("()[]{}|‖∣")
_BULLETS = frozenset("•▪‣◦●■")
_COLUMN_GAP = 0.75  # in ems; words of a line are closer
_FEWEST_ROWS = 8  # of a column
_ON_BOTH, _ACROSS = 0.2, 0.35  # share of glyphs


@dataclass
class Line:
    """Line of text or of a formula: what stands on a baseline with scripts, fractions, limits."""

    glyphs: list[Glyph]
    rules: list[Rule] = field(default_factory=list)
    y: float = 0.0
    """Baseline of its largest glyphs."""
    size: float = 0.0
    x0: float = 0.0
    x1: float = 0.0
    low: float = 0.0
    high: float = 0.0
    column: tuple[float, float] = (0.0, 0.0)
    """Left and right of the column that it stands in."""
    sheet: int = 0
    height: float = 0.0
    """Height of the sheet."""

    def settled(self) -> Line:
        """Fill in its place from its glyphs."""
        plain = [g for g in self.glyphs if g.text not in LARGE and not _hangs(g)]
        sizes = Counter(round(g.size, 1) for g in plain or self.glyphs)
        self.size = max((s for s, n in sizes.items() if n >= 2), default=max(sizes))
        standing = [g.y for g in plain or self.glyphs if abs(g.size - self.size) < 0.06 * self.size]
        self.y = Counter(round(y, 1) for y in standing).most_common(1)[0][0]
        self.x0, self.x1, self.low, self.high = box(self.glyphs)
        return self


class Reader:
    """Reader of sheets in order: where a sheet is too empty to tell, its columns are those before.

    >>> Reader().lines_of(Sheet(1, 595.0, 842.0))
    []
    """

    def __init__(self) -> None:
        self._gutter: float | None = None

    def lines_of(self, sheet: Sheet) -> list[Line]:
        """Group a sheet's glyphs to lines, in reading order."""
        glyphs = [g for g in sheet.glyphs if g.text.strip() or not g.text]
        if not glyphs:
            return []
        rows = rows_of(glyphs)
        gutter = _gutter(rows, self._gutter)
        self._gutter = gutter
        found = []
        for x0, x1, part in _regions(glyphs, rows, gutter):
            middle = (x0 - 3, x1 + 3)
            rules = [r for r in sheet.rules if middle[0] <= (r.x0 + r.x1) / 2 <= middle[1]]
            for line in group_lines(part, [r for r in rules if r.horizontal]):
                line.column, line.sheet, line.height = (x0, x1), sheet.number, sheet.height
                found.append(line)
        return found


def rows_of(glyphs: Sequence[Glyph]) -> list[list[Glyph]]:
    """Cluster glyphs by their baseline, from the top; accents, bullets and signs that hang from
    their top join the nearest row."""
    rows: list[list[Glyph]] = []
    hanging = []
    for glyph in sorted(glyphs, key=lambda g: -g.y):
        fence = glyph.text in _FENCES and is_sized(glyph.font)
        if fence or _hangs(glyph) or glyph.text in ACCENTS or glyph.text in _BULLETS:
            hanging.append(glyph)
        elif rows and abs(rows[-1][0].y - glyph.y) < 0.06 * max(glyph.size, rows[-1][0].size):
            rows[-1].append(glyph)
        else:
            rows.append([glyph])
    for glyph in hanging:
        reach = (
            0.9 if is_sized(glyph.font) else 0.5 if glyph.text in ACCENTS else 0.3
        ) * glyph.size
        near = [r for r in rows if abs(r[0].y - glyph.y) < reach]
        if near:
            min(near, key=lambda r: abs(r[0].y - glyph.y)).append(glyph)
        else:
            rows.append([glyph])
    rows = [sorted(row, key=lambda g: (g.x0, g.x1)) for row in rows]
    return sorted(rows, key=lambda r: -r[0].y)


def chunks_of(row: Sequence[Glyph], gap: float) -> list[list[Glyph]]:
    """Cut a row where glyphs are farther apart than `gap` ems."""
    chunks: list[list[Glyph]] = []
    end = 0.0
    for glyph in row:
        if chunks and glyph.x0 - end <= gap * glyph.size:
            chunks[-1].append(glyph)
            end = max(end, glyph.x1)
        else:
            chunks.append([glyph])
            end = glyph.x1
    return chunks


def _hangs(glyph: Glyph) -> bool:
    return glyph.high - glyph.low > 0.95 * glyph.size


def _regions(
    glyphs: Sequence[Glyph], rows: Sequence[Sequence[Glyph]], gutter: float | None
) -> list[tuple[float, float, list[Glyph]]]:
    """Cut a sheet into columns and what spans them: left, right, glyphs, in reading order."""
    left, right = min(g.x0 for g in glyphs), max(g.x1 for g in glyphs)
    if gutter is None:
        return [(left, right, [*glyphs])]
    across = [_crosses(row, gutter) for row in rows]
    wide = _bands([row for row, over in zip(rows, across, strict=True) if over])
    body = [g for row, over in zip(rows, across, strict=True) if not over for g in row]
    edges = (
        max((g.x1 for g in body if g.middle < gutter), default=gutter),
        min((g.x0 for g in body if g.middle >= gutter), default=gutter),
    )
    parts: list[tuple[float, float, list[Glyph]]] = []
    above = float("inf")
    for low, high in [*wide, (-1e9, -1e9)]:
        between = [g for g in body if high < g.y < above]
        before = [g for g in between if g.middle < gutter]
        after = [g for g in between if g.middle >= gutter]
        parts += [(left, edges[0], before)] if before else []
        parts += [(edges[1], right, after)] if after else []
        band = [g for g in glyphs if low <= g.y <= high]
        parts += [(left, right, band)] if band else []
        above = low
    return parts


def _crosses(row: Sequence[Glyph], gutter: float) -> bool:
    """Whether a piece of a row reaches over the gap between columns."""
    pieces = chunks_of(row, _COLUMN_GAP)
    return any(piece[0].x0 < gutter < max(g.x1 for g in piece) for piece in pieces)


def _gutter(rows: Sequence[Sequence[Glyph]], known: float | None) -> float | None:
    """Find the middle of the gap between two columns; None for one column.

    Pieces of rows count by their glyphs: those of formulas and scripts are short.
    """
    pieces = [
        (piece[0].x0, max(g.x1 for g in piece), len(piece))
        for row in rows
        for piece in chunks_of(row, _COLUMN_GAP)
    ]
    left, right = min(a for a, _, _ in pieces), max(b for _, b, _ in pieces)
    whole = sum(weight for _, _, weight in pieces)
    best: list[tuple[int, float]] = []
    for k in range(61):
        x = left + (right - left) * (0.3 + 0.4 * k / 60)
        before = [weight for _, b, weight in pieces if b <= x - 1]
        after = [weight for a, _, weight in pieces if a >= x + 1]
        across = whole - sum(before) - sum(after)
        if min(len(before), len(after)) < _FEWEST_ROWS or across > _ACROSS * whole:
            continue
        if min(sum(before), sum(after)) >= _ON_BOTH * whole:
            best.append((across, x))
    if not best:
        over = sum(weight for a, b, weight in pieces if known is not None and a < known < b)
        return known if over <= _ACROSS * whole else None
    least = min(across for across, _ in best)
    xs = [x for across, x in best if across == least]
    return xs[len(xs) // 2]


def _bands(rows: Sequence[Sequence[Glyph]]) -> list[tuple[float, float]]:
    """Merge rows that span the columns and follow each other closely: low and high of each."""
    bands: list[tuple[float, float]] = []
    for row in rows:
        low, high = min(g.low for g in row), max(g.high for g in row)
        if bands and bands[-1][0] - high < 0.9 * row[0].size:
            bands[-1] = (min(low, bands[-1][0]), bands[-1][1])
        else:
            bands.append((low, high))
    return bands


class _Groups:
    """Rows that belong to one line, as sets that are united."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def of(self, k: int) -> int:
        """Root of the set of a row."""
        while self._parents[k] != k:
            self._parents[k] = self._parents[self._parents[k]]
            k = self._parents[k]
        return k

    def unite(self, a: int, b: int) -> None:
        """Make one set of two."""
        self._parents[self.of(a)] = self.of(b)


def group_lines(glyphs: Sequence[Glyph], rules: Sequence[Rule]) -> list[Line]:
    """Unite rows of a column to lines by fractions, roots, scripts and limits."""
    rows = rows_of(glyphs)
    groups = _Groups(len(rows))
    finder = _Rows(rows)
    used: list[tuple[Rule, int]] = []
    for rule in rules:
        its = finder.around(rule)
        for a, b in itertools.pairwise(its):
            groups.unite(a, b)
        if its:
            used.append((rule, its[0]))
    for k, row in enumerate(rows):
        for glyph in (row[0], *(b for a, b in itertools.pairwise(row) if _apart(a, b))):
            base = finder.base_of(glyph)
            if base is not None:
                groups.unite(k, base)
        for glyph in row:
            if glyph.text in LARGE or _hangs(glyph):
                for j in finder.at(glyph, k):
                    groups.unite(k, j)
    lines: dict[int, Line] = {}
    for k, row in enumerate(rows):
        lines.setdefault(groups.of(k), Line([])).glyphs.extend(row)
    for rule, k in used:
        lines[groups.of(k)].rules.append(rule)
    found = sorted((line.settled() for line in lines.values()), key=lambda line: -line.y)
    taken = {id(rule) for rule, _ in used}
    for rule in rules:
        if id(rule) not in taken:
            _give(rule, found)
    return found


def _give(rule: Rule, lines: Sequence[Line]) -> None:
    """Give a rule that unites nothing to the line that it lies within: it may mean something."""
    for line in lines:
        within = line.x0 - 2 <= rule.x0 and rule.x1 <= line.x1 + 2
        if within and line.low + 0.1 * line.size < rule.y < line.high:
            line.rules.append(rule)
            return


def _apart(a: Glyph, b: Glyph) -> bool:
    return b.x0 - a.x1 > 0.1 * b.size or abs(a.size - b.size) > 0.1 * b.size


def _reach(glyph: Glyph) -> float:
    """Distance in ems to the right of a glyph up to which a script is its own."""
    return 0.9 if glyph.text == "∫" else 0.35


class _Rows:
    """Rows by height, to find what lies near a place."""

    def __init__(self, rows: Sequence[Sequence[Glyph]]) -> None:
        self._rows = rows
        self._heights = [-row[0].y for row in rows]
        self._lefts = [[g.x0 for g in row] for row in rows]

    def _between(self, low: float, high: float) -> range:
        return range(bisect_left(self._heights, -high), bisect_right(self._heights, -low))

    def _near(self, k: int, x0: float, x1: float) -> list[Glyph]:
        """Glyphs of a row that reach into a stretch."""
        start = max(0, bisect_left(self._lefts[k], x0) - 2)
        end = bisect_right(self._lefts[k], x1)
        return [g for g in self._rows[k][start:end] if g.x1 >= x0]

    def base_of(self, glyph: Glyph) -> int | None:
        """Row of the larger glyph at whose side, or under whose end, a small one stands."""
        best: tuple[float, int] | None = None
        reach = 3.5 * glyph.size
        for k in self._between(glyph.y - reach, glyph.y + reach):
            for other in self._near(k, glyph.x0 - 1.4 * glyph.size, glyph.x0 + 0.2 * glyph.size):
                if glyph.size >= _SMALL * other.size or other.x0 > glyph.x0:
                    continue
                off = glyph.x0 - other.x1
                if not -0.35 * other.size <= off <= _reach(other) * other.size:
                    continue
                low = other.low - 0.35 * other.size
                if low <= glyph.y <= other.high + 0.05 * other.size:
                    distance = abs(off) + 0.2 * abs(glyph.y - other.y)
                    if best is None or distance < best[0]:
                        best = (distance, k)
        return best[1] if best else self._word_above(glyph)

    def _word_above(self, glyph: Glyph) -> int | None:
        """Row of the word, such as max, below which a small glyph stands as its limit."""
        for k in self._between(glyph.y + 0.6 * glyph.size, glyph.y + 1.7 * glyph.size):
            near = self._near(k, glyph.x0 - 2.2 * glyph.size, glyph.x1 + 2.2 * glyph.size)
            word = "".join(g.text for g in near if g.size * _SMALL > glyph.size)
            if any(name in word for name in ("max", "min", "sup", "inf")):
                return k
        return None

    def at(self, sign: Glyph, own: int) -> list[int]:
        """Rows of the limits of a large sign, and of the line that a tall one stands in."""
        found = []
        margin = 0.65 * sign.size
        for k in self._between(sign.low - 1.2 * sign.size, sign.high + sign.size):
            if k == own:
                continue
            if sign.text in LARGE:
                near = self._near(k, sign.x0 - 0.3 * sign.size, sign.x1 + 0.3 * sign.size)
                small = [g for g in near if g.size < _SMALL * sign.size]
                limits = [
                    g
                    for g in small
                    if abs(g.low - sign.high) < margin or abs(sign.low - g.high) < margin
                ]
                if limits:
                    found.append(k)
                    continue
            beside = self._near(k, sign.x0 - 0.4 * sign.size, sign.x1 + 0.4 * sign.size)
            if _hangs(sign) and any(sign.low < g.y + 0.2 * g.size < sign.high for g in beside):
                found.append(k)
        return found

    def around(self, rule: Rule) -> list[int]:
        """Rows that a fraction's rule or a root's bar unites; none for other rules."""
        if rule.width > 400 or rule.width < 1.5:
            return []
        above: list[int] = []
        below: list[int] = []
        level: list[int] = []
        for k in self._between(rule.y - 45, rule.y + 45):
            within = self._near(k, rule.x0 - 1.5, rule.x1 + 1.5)
            inside = [g for g in within if rule.x0 - 1.5 <= g.middle <= rule.x1 + 1.5]
            if inside:
                size = max(g.size for g in inside)
                if -0.3 * size < min(g.low for g in inside) - rule.y < 0.6 * size:
                    above.append(k)
                if -0.45 * size < rule.y - max(g.high for g in inside) < 0.6 * size:
                    below.append(k)
            reach = [g for g in self._near(k, rule.x0 - 14, rule.x1 + 14) if g not in inside]
            if any(-0.1 * g.size < rule.y - g.y < 0.5 * g.size for g in reach):
                level.append(k)
            if any(g.text == "√" and abs(g.x1 - rule.x0) < 0.25 * g.size for g in reach):
                level.append(k)
        root = any(
            g.text == "√" and abs(g.x1 - rule.x0) < 0.25 * g.size
            for k in level
            for g in self._near(k, rule.x0 - 14, rule.x0 + 2)
        )
        if (above and below) or (root and below):
            return [*(above if not root else ()), *below, *level[:2]]
        return []
