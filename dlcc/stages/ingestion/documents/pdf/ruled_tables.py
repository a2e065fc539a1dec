"""Ruled tables of a sheet: cells between rules, or between the gaps that all rows share."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from dlcc.stages.ingestion.documents.pdf.lines import Line, chunks_of, group_lines
from dlcc.stages.ingestion.documents.pdf.sheet import Glyph, Rule, Sheet

_NARROWEST = 36.0  # points
_CELL_GAP = 0.8  # ems between columns without a rule
_MOST_ROWS = 400


@dataclass
class RuledTable:
    """Table of lines of glyphs, one list a cell."""

    x0: float
    x1: float
    y0: float
    y1: float
    cells: list[list[list[Line]]]
    """Lines of each cell, by row and column."""
    sheet: int
    sheet_of_end: int

    def continues(self, other: RuledTable) -> bool:
        """Whether another table on the next sheet goes on with this one."""
        same = abs(self.x0 - other.x0) < 2 and abs(self.x1 - other.x1) < 2
        columns = len(self.cells[0]) == len(other.cells[0])
        return same and columns and other.sheet == self.sheet_of_end + 1


def take_tables(sheet: Sheet) -> tuple[list[RuledTable], Sheet]:
    """Take ruled tables out of a sheet: the tables, and the sheet without their glyphs."""
    across = _merged([r for r in sheet.rules if r.horizontal])
    down = [r for r in sheet.rules if not r.horizontal]
    tables: list[RuledTable] = []
    glyphs = sheet.glyphs
    rules = sheet.rules
    for chain in _chains(across, glyphs):
        x0, x1 = chain[0].x0, chain[0].x1
        high, low = chain[0].y, chain[-1].y
        inside = [g for g in glyphs if x0 - 2 <= g.middle <= x1 + 2 and low < g.axis < high]
        cells = _cells(inside, chain, [r for r in down if low - 2 < r.y < high + 2])
        if cells is None:
            continue
        tables.append(RuledTable(x0, x1, low, high, cells, sheet.number, sheet.number))
        taken = {id(g) for g in inside}
        glyphs = [g for g in glyphs if id(g) not in taken]
        rules = [
            r for r in rules
            if not (x0 - 3 <= r.x0 and r.x1 <= x1 + 3 and low - 3 <= r.y <= high + 3)
        ]  # fmt: skip
    rest = Sheet(
        sheet.number, sheet.width, sheet.height, glyphs, rules, sheet.pictures, sheet.sideways
    )
    return tables, rest


def _merged(rules: Sequence[Rule]) -> list[Rule]:
    """Merge horizontal rules that continue each other, as the sides of cells in a row do."""
    found: list[Rule] = []
    for rule in sorted(rules, key=lambda r: (-round(r.y), r.x0)):
        last = found[-1] if found else None
        level = last is not None and abs(last.y - rule.y) < 1
        if level and last is not None and last.x0 - 1.5 < rule.x0 < last.x1 + 1.5:
            found[-1] = Rule(last.x0, max(last.x1, rule.x1), last.y0, last.y1)
        else:
            found.append(rule)
    return [r for r in found if r.width >= _NARROWEST]


def _chains(rules: Sequence[Rule], glyphs: Sequence[Glyph]) -> list[list[Rule]]:
    """Group rules of one width below each other, with nothing beside them that is text."""
    chains: list[list[Rule]] = []
    for rule in sorted(rules, key=lambda r: -r.y):
        for chain in reversed(chains):
            last = chain[-1]
            same = abs(last.x0 - rule.x0) < 2.5 and abs(last.x1 - rule.x1) < 2.5
            if same and _is_interior(last, rule, glyphs):
                if last.y - rule.y > 1.5:
                    chain.append(rule)
                break
        else:
            chains.append([rule])
    return [chain for chain in chains if len(chain) >= 2]


def _is_interior(above: Rule, below: Rule, glyphs: Sequence[Glyph]) -> bool:
    """Whether what lies between two rules can be rows of a table: no text crosses their ends."""
    between = [g for g in glyphs if below.y < g.axis < above.y]
    inside = [g for g in between if above.x0 - 2 <= g.middle <= above.x1 + 2]
    if not inside:
        return above.y - below.y < 4
    ends = (above.x0 - 3, above.x1 + 3)
    crossing = [g for g in between if any(abs(g.middle - end) < 6 for end in ends)]
    outside = [g for g in crossing if not above.x0 - 3 <= g.middle <= above.x1 + 3]
    if len(outside) > 2:
        return False
    size = max(g.size for g in inside)
    heights = sorted({round(g.y, 1) for g in inside}, reverse=True)
    steps = [a - b for a, b in zip([above.y, *heights], [*heights, below.y], strict=True)]
    return max(steps) < 4.5 * size


def _cells(
    glyphs: Sequence[Glyph], chain: Sequence[Rule], down: Sequence[Rule]
) -> list[list[list[Line]]] | None:
    """Cut the glyphs of a table to rows and cells; None where it has one column or one row."""
    x0, x1 = chain[0].x0, chain[0].x1
    lines = group_lines([g for g in glyphs if g.text.strip() or not g.text], [])
    borders = _borders(down, x0, x1, chain[0].y - chain[-1].y)
    if not (1 if borders else 2) <= len(lines) <= _MOST_ROWS:
        return None
    split = [_split(line, borders) for line in lines]
    columns = [*itertools.pairwise(borders)] or _columns(split)
    if len(columns) < 2:
        return None
    rows: list[list[list[Line]]] = []
    last_band = -1
    for line, pieces in zip(lines, split, strict=True):
        row: list[list[Line]] = [[] for _ in columns]
        for piece in pieces:
            row[_column_of(piece, columns)].append(piece)
        band = sum(rule.y > line.y for rule in chain)
        whole = sum(bool(cell) for cell in row) == len(columns)
        if rows and band == last_band and borders and not whole:
            for cell, more in zip(rows[-1], row, strict=True):
                cell.extend(more)
        else:
            rows.append(row)
        last_band = band
    return rows


def _borders(down: Sequence[Rule], x0: float, x1: float, height: float) -> list[float]:
    """Places of the vertical rules that reach over most of a table, its own sides included."""
    lengths: dict[float, float] = {}
    for rule in down:
        x = (rule.x0 + rule.x1) / 2
        if x0 - 3 <= x <= x1 + 3:
            near = next((known for known in lengths if abs(known - x) < 2), x)
            lengths[near] = lengths.get(near, 0.0) + abs(rule.y1 - rule.y0)
    found = sorted(x for x, length in lengths.items() if length > 0.6 * height)
    inner = [x for x in found if x0 + 3 < x < x1 - 3]
    return [x0, *inner, x1] if inner else []


def _split(line: Line, borders: Sequence[float]) -> list[Line]:
    """Cut a line of a table into the pieces that belong to one cell each."""
    glyphs = sorted(line.glyphs, key=lambda g: (g.x0, g.x1))
    if borders:
        parts = [
            [g for g in glyphs if a <= g.middle < b]
            for a, b in zip(
                [-1e9, *borders[1:-1]], [*borders[1:-1], 1e9], strict=True
            )
        ]  # fmt: skip
    else:
        parts = chunks_of(glyphs, _CELL_GAP)
    return [Line(part).settled() for part in parts if part]


def _columns(rows: Sequence[Sequence[Line]]) -> list[tuple[float, float]]:
    """Columns of a table without vertical rules: those of its fullest rows."""
    most = max(len(row) for row in rows)
    spans = sorted((p.x0, p.x1) for row in rows if len(row) == most for p in row)
    columns: list[tuple[float, float]] = []
    for a, b in spans:
        if columns and a < columns[-1][1]:
            columns[-1] = (columns[-1][0], max(b, columns[-1][1]))
        else:
            columns.append((a, b))
    return columns


def _column_of(piece: Line, columns: Sequence[tuple[float, float]]) -> int:
    """Column that a piece overlaps most, or lies nearest to."""

    def fit(column: tuple[float, float]) -> float:
        return min(piece.x1, column[1]) - max(piece.x0, column[0])

    return max(range(len(columns)), key=lambda k: fit(columns[k]))
