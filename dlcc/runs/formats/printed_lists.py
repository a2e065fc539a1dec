"""Lists that a script printed: `G_losses = [0.7, 0.6, ...]`, or a dictionary of lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from dlcc.errors import RunError
from dlcc.runs.files import read_regular
from dlcc.runs.formats.csv_shape import number_in
from dlcc.runs.formats.reader import FoundFile, FoundRecord, Listing, Reader
from dlcc.runs.raw_table import RawColumn, RawTable

_MAX_BYTES = 1 << 27
_FEWEST = 8
_MOST_OF_IT = 0.5  # of the head that lists take up: a log's own lists are a small part of it
_LIST = re.compile(
    r"['\"]?(?P<name>[A-Za-z][\w .\-/()]{0,60}?)['\"]?\s*[:=]\s*(?:np\.)?(?:array\(|tensor\()?\[\s*"
    r"(?P<cells>[^\[\]{}]*?)(?P<end>\]|\Z)"
)


class PrintedLists(Reader):
    """Reader of files in which numbers stand in lists under names, one for each step."""

    title: ClassVar = "printed lists"
    rank: ClassVar = 58

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        for file in listing.files:
            if file.is_text and _has_lists(file):
                yield FoundRecord(self, file.path.parent, (file.path,))

    def read(self, record: FoundRecord) -> RawTable:
        path = record.files[0]
        text = read_regular(path, _MAX_BYTES, RunError).decode("utf-8-sig", errors="replace")
        lists, notes = {}, []
        for name, cells, whole in _lists(text):
            lists[name] = cells
            if not whole:
                notes.append(f"{path}: the list {name} does not end; its last number is left out")
        if not lists:
            raise RunError(f"{path}: expected lists such as 'G_losses = [0.7, 0.6]'; found none")
        rows = max(map(len, lists.values()))
        return RawTable(
            title=self.title,
            files=(path,),
            columns={name: _column(cells, rows) for name, cells in lists.items()},
            rows=rows,
            notes=tuple(notes),
        )


def _has_lists(file: FoundFile) -> bool:
    text = file.head.decode("utf-8-sig", errors="replace")
    found = [m for m in _LIST.finditer(text) if m["cells"].count(",") >= _FEWEST - 1]
    names = [m["name"] for m in found]
    if len(set(names)) < len(names):  # a log that prints a list a row
        return False
    return sum(len(m[0]) for m in found) > _MOST_OF_IT * len(text)


def _lists(text: str) -> Iterator[tuple[str, list[float | None], bool]]:
    """Name, cells and whether it ends of each list of numbers in a text."""
    for match in _LIST.finditer(text):
        texts = [cell for cell in match["cells"].replace("\n", " ").split(",") if cell.strip()]
        whole = match["end"] == "]"
        cells = [number_in(cell) for cell in (texts if whole else texts[:-1])]
        if len(cells) >= _FEWEST and sum(cell is None for cell in cells) <= 0.2 * len(cells):
            yield " ".join(match["name"].split()), cells, whole


def _column(cells: list[float | None], rows: int) -> RawColumn:
    """Column of a list; one that is shorter than the longest was taken every so many steps."""
    column = RawColumn.of_cells(cells)
    if len(cells) == rows:
        return column
    places = np.linspace(rows / len(cells) - 1, rows - 1, len(cells)).round().astype(np.int64)
    return RawColumn(places[column.rows], column.values)
