"""Layout of a PDF: its lines and tables in reading order, without what repeats at the margins."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from dlcc.stages.ingestion.documents.page import Page
from dlcc.stages.ingestion.documents.pdf.lines import Line, Reader, chunks_of
from dlcc.stages.ingestion.documents.pdf.parts import parts_of, style_of
from dlcc.stages.ingestion.documents.pdf.ruled_tables import RuledTable, take_tables
from dlcc.stages.ingestion.documents.pdf.sheet import Sheet
from dlcc.stages.ingestion.documents.pdf.text import plain
from dlcc.stages.ingestion.documents.pdf.writer import PLACE, Writer

_SMALLEST_PICTURE = 60.0  # points
_NUMBER_ALONE = re.compile(r"\W*(?:page\s*)?\d{1,4}(?:\s*(?:of|/)\s*\d{1,4})?\W*", re.IGNORECASE)


def read_layout(page: Page, sheets: Iterable[Sheet]) -> list[str]:
    """Read sheets into a page.

    Returns:
        Sentences about what was found and not read.
    """
    ordered: list[list[Line | RuledTable]] = []
    sideways, unread_pictures, reader = 0, 0, Reader()
    for sheet in sheets:
        tables, rest = take_tables(sheet)
        ordered.append(_with_tables(reader.lines_of(rest), tables))
        sideways += sheet.sideways
        for picture in sheet.pictures:
            if min(picture.x1 - picture.x0, picture.y1 - picture.y0) > _SMALLEST_PICTURE:
                unread_pictures += not picture.content
                if picture.content:
                    page.pictures.append((PLACE * sheet.number, picture.content))
    _drop_margins(ordered)
    everything = [item for items in ordered for item in items]
    style = style_of([item for item in everything if isinstance(item, Line)])
    parts = parts_of(everything, style)
    unread = Writer(page, parts).write()
    if unread_pictures:
        unread.append(f"{unread_pictures} pictures are of a sort that is not read")
    if sideways > 20:
        unread.append(f"{sideways:,} letters stand sideways and are not read")
    return unread


def _with_tables(lines: list[Line], tables: Sequence[RuledTable]) -> list[Line | RuledTable]:
    """Put tables where they stand among the lines of their column."""
    items: list[Line | RuledTable] = [*lines]
    for table in tables:
        middle = (table.x0 + table.x1) / 2
        place = len(items)
        for k, item in enumerate(items):
            if isinstance(item, Line) and item.column[0] <= middle <= item.column[1]:
                if item.y < table.y0:
                    place = k
                    break
                place = k + 1
        items.insert(place, table)
    return items


def _drop_margins(sheets: list[list[Line | RuledTable]]) -> None:
    """Drop what repeats at the top or bottom of pages, and page numbers."""
    seen: Counter[str] = Counter()
    edges: list[list[tuple[Line, list[str]]]] = []
    for items in sheets:
        lines = sorted((i for i in items if isinstance(i, Line)), key=lambda line: -line.y)
        outer = [*lines[:2], *lines[2:][-2:]]
        keyed = [(line, _pieces(line)) for line in outer]
        edges.append(keyed)
        seen.update({key for _, keys in keyed for key in keys})
    for items, keyed in zip(sheets, edges, strict=True):
        for line, keys in keyed:
            repeated = any(seen[k] >= max(2, 0.4 * len(sheets)) and len(k) > 3 for k in keys)
            alone = _NUMBER_ALONE.fullmatch(plain(line)) is not None
            edge = not 0.085 * line.height < line.y < 0.92 * line.height
            if repeated or (alone and (edge or line in (keyed[0][0], keyed[-1][0]))):
                items.remove(line)


def _pieces(line: Line) -> list[str]:
    """Cut a line at wide gaps, its numbers replaced: what repeats in a running head."""
    chunks = chunks_of(sorted(line.glyphs, key=lambda g: g.x0), 2.0)
    return [re.sub(r"\d+", "#", plain(Line(chunk).settled())) for chunk in chunks]
