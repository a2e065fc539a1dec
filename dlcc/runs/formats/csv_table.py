"""Tables with delimiters, as loggers and scripts write them: any header, any cells."""

from __future__ import annotations

import csv
import re
import warnings
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import methodcaller
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlcc.errors import SeriesError
from dlcc.runs.formats.csv_shape import EMPTY_CELLS, TableShape, number_in, sniffed
from dlcc.runs.formats.quoting import listed, short
from dlcc.runs.formats.reader import FoundFile, FoundRecord, Listing, Reader
from dlcc.runs.formats.text_lines import TextLines
from dlcc.runs.raw_table import RawColumn, RawTable
from dlcc.typing import Bools, Floats, Ints

_MOST_NUMBERS = 150_000_000
_IN_NUMBERS = np.zeros(256, dtype=np.bool_)
_IN_NUMBERS[list(b"-+.,;| \t\r\n0123456789eEnNaAiIfF")] = True
_GAP_CELL = "-7.3819264e-301"  # stands for an empty cell while numbers are read at once
_GAP = float(_GAP_CELL)
_LOGGERS = {"metrics.csv": "Lightning metrics.csv", "progress.csv": "Baselines progress.csv"}


class CsvTable(Reader):
    """Reader of CSV and TSV files of any name, Lightning's and Keras' loggers among them."""

    title: ClassVar = "CSV"
    rank: ClassVar = 60

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        for file in listing.files:
            if file.is_text and sniffed(file) is not None:
                yield FoundRecord(self, file.path.parent, (file.path,))

    def read(self, record: FoundRecord) -> RawTable:
        path = record.files[0]
        shape = sniffed(FoundFile(path))
        if shape is None:
            raise SeriesError(
                f"{path}: expected a table with a header such as step,d_loss,g_loss; the lines "
                "have no delimiter in common"
            )
        lines = TextLines(path)
        cells = _Cells(path, shape)
        for first, block in lines.blocks():
            cells.take(first, block)
        if not lines.ended:
            cells.drop_a_cut_end()
        return cells.table(_LOGGERS.get(path.name.lower(), self.title), tuple(lines.notes))


@dataclass
class _Column:
    """Cells of one column that hold a number, and what became of the others."""

    rows: list[Ints] = field(default_factory=list)
    values: list[Floats] = field(default_factory=list)
    junk: int = 0
    first_junk: tuple[int, str] = (0, "")
    times: array[float] = field(default_factory=lambda: array("d"))
    time_rows: array[int] = field(default_factory=lambda: array("q"))

    def add(self, rows: Ints, values: Floats) -> None:
        """Add the numbers of some rows."""
        self.rows.append(rows)
        self.values.append(values)


class _Cells:
    """Cells of a table, block by block."""

    def __init__(self, path: Path, shape: TableShape) -> None:
        self.path = path
        self.shape = shape
        self.columns = [_Column() for _ in shape.names]
        self.places: list[Ints] = []
        self.rows = 0
        self.numbers = 0
        self.ragged = 0
        self.first_ragged = 0
        self.sessions: list[int] = []
        self._header_line: str | None = None
        self._header_text: str | None = None
        self._last = ""

    def take(self, first: int, block: list[str]) -> None:
        """Take in a block of lines, the number of the first of which is given."""
        numbers, texts = self._without_headers(first, block)
        if not texts:
            return
        self._last = texts[-1]
        self._too_many(len(texts))
        width, delimiter = len(self.shape.names), self.shape.delimiter
        rows = np.arange(self.rows, self.rows + len(texts))
        delimiters = set(map(methodcaller("count", delimiter), texts))
        joined = delimiter.join(texts)
        if delimiters == {width - 1} and '"' not in joined:
            values = self._regular_numbers(joined, texts, rows, numbers)
        else:
            values = self._cell_numbers(self._ragged_cells(numbers, texts), rows, numbers)
        for at, column in enumerate(self.columns):
            its = values[at::width]
            there = its != _GAP
            if there.all():
                column.add(rows, its.copy())  # a view would keep the numbers of all columns
            else:
                column.add(rows[there], its[there])
        self.places.append(numbers)
        self.rows += len(texts)

    def _regular_numbers(self, joined: str, texts: list[str], rows: Ints, numbers: Ints) -> Floats:
        """Read rows that all have as many cells, without quotes: their numbers, cell after cell.

        They are read at once from their `texts`, joined, but for rows in which a letter or a sign
        says that they cannot be.
        """
        width, delimiter = len(self.columns), self.shape.delimiter
        values = _numbers(joined, delimiter, width * len(texts))
        if values is not None:
            return values
        odd = _with_other_signs(texts)
        plain = [text for text, is_odd in zip(texts, odd.tolist(), strict=True) if not is_odd]
        values = _numbers(delimiter.join(plain), delimiter, width * len(plain)) if plain else None
        if values is None:
            return self._cell_numbers(joined.split(delimiter), rows, numbers)
        table = np.empty((len(texts), width))
        table[~odd] = values.reshape(-1, width)
        others = [text for text, is_odd in zip(texts, odd.tolist(), strict=True) if is_odd]
        cells = delimiter.join(others).split(delimiter)
        table[odd] = self._cell_numbers(cells, rows[odd], numbers[odd]).reshape(-1, width)
        return table.ravel()

    def _cell_numbers(self, cells: list[str], rows: Ints, numbers: Ints) -> Floats:
        """Read the cells of some rows, row by row, of which some are no plain numbers."""
        width, delimiter = len(self.columns), self.shape.delimiter
        odd = [at for at, cell in enumerate(cells) if not cell[-1:].isdigit()]
        kept = {at: cells[at] for at in odd}
        for at in odd:
            cells[at] = "0"
        values = _numbers(delimiter.join(cells), delimiter, len(cells))
        if values is None:  # further cells are none, and end in a digit: dates, words
            values = np.zeros(len(cells))
            for at, cell in enumerate(cells):
                try:
                    values[at] = float(cell)
                except ValueError:
                    kept[at] = cell
        for at, cell in kept.items():
            number = number_in(cell) if cell else None
            values[at] = _GAP if number is None else number
            if number is None and cell:
                row = at // width
                _refuse(self.columns[at % width], cell, int(rows[row]), int(numbers[row]))
        return values

    def _too_many(self, lines: int) -> None:
        self.numbers += lines * len(self.shape.names)
        if self.numbers > _MOST_NUMBERS:
            raise SeriesError(
                f"{self.path}: more than {_MOST_NUMBERS:,} numbers; keep every tenth row, or the "
                "columns that are needed"
            )

    def _without_headers(self, first: int, block: list[str]) -> tuple[Ints, list[str]]:
        """Numbers and texts of the lines that are rows; a header that comes again is a session."""
        numbers = np.arange(first, first + len(block))
        if self.shape.header and self._header_text is None:
            blank = next((at for at, text in enumerate(block) if text.strip()), len(block))
            self._header_line = block[blank] if blank < len(block) else None
            self._header_text = self._header_line.strip() if self._header_line else None
            numbers, block = numbers[blank + 1 :], block[blank + 1 :]
        if all(block) and self._header_line not in block and not any(map(str.isspace, block)):
            return numbers, block
        odd = [
            at
            for at, text in enumerate(block)
            if not text or text.isspace() or text.strip() == self._header_text
        ]
        if not odd:
            return numbers, block
        kept = np.ones(len(block), dtype=np.bool_)
        kept[odd] = False
        before = np.cumsum(kept)
        self.sessions += [
            self.rows + int(before[at]) for at in odd if block[at].strip() == self._header_text
        ]
        return numbers[kept], [text for text, keep in zip(block, kept, strict=True) if keep]

    def _ragged_cells(self, numbers: Ints, texts: list[str]) -> list[str]:
        """Cells of lines with quotes, or of another width, made as wide as the rest."""
        width = len(self.shape.names)
        cells: list[str] = []
        for number, text in zip(numbers.tolist(), texts, strict=True):
            try:
                row = next(
                    csv.reader([text], delimiter=self.shape.delimiter, skipinitialspace=True)
                )
            except csv.Error:
                row = []
            if len(row) != width:
                trailing = len(row) == width + 1 and not row[-1].strip()
                self.ragged += not trailing
                self.first_ragged = self.first_ragged or number
                row = [*row[:width], *[""] * (width - len(row))]
            cells += row
        return cells

    def drop_a_cut_end(self) -> None:
        """Leave out the last cell of a file that ends in it: digits of it may be missing."""
        full = self._last.count(self.shape.delimiter) == len(self.shape.names) - 1
        column = self.columns[min(self._last.count(self.shape.delimiter), len(self.columns) - 1)]
        if not self.rows or not column.rows or not len(column.rows[-1]):
            return
        if column.rows[-1][-1] != self.rows - 1 or (full and self.rows <= 1):
            return
        usual = self._last.rpartition(self.shape.delimiter)[2].strip()
        if full and (usual.endswith((")", "]", '"')) or _as_short(column, usual)):
            return
        column.rows[-1], column.values[-1] = column.rows[-1][:-1], column.values[-1][:-1]

    def table(self, title: str, notes: tuple[str, ...]) -> RawTable:
        """Put the cells together."""
        columns: dict[str, RawColumn] = {}
        said = list(notes)
        clock: Floats | None = None
        whole: dict[tuple[int, ...], Ints] = {}  # columns without gaps share their rows
        for name, column in zip(self.shape.names, self.columns, strict=True):
            parts = tuple(map(id, column.rows))
            if parts not in whole:
                whole[parts] = np.concatenate([np.zeros(0, dtype=np.int64), *column.rows])
            rows = whole[parts]
            if len(rows):
                columns[name] = RawColumn(rows, np.concatenate(column.values))
                column.values.clear()  # of a large table twice would be much
            if len(column.times) > len(rows):
                clock = np.full(self.rows, np.nan)
                clock[np.array(column.time_rows, dtype=np.int64)] = column.times
                columns.pop(name, None)
            elif column.junk and len(rows):
                line, cell = column.first_junk
                said.append(
                    f"{self.path}: line {line:,}: expected a number in column {name[:40]}, found "
                    f"{short(cell)}; {column.junk:,} such cells are left out"
                )
        text = [
            name
            for name, column in zip(self.shape.names, self.columns, strict=True)
            if column.junk and name not in columns
        ]
        if text:
            said.append(f"{self.path}: left out {listed('column', text)} of text")
        if self.ragged:
            said.append(
                f"{self.path}: line {self.first_ragged:,}: expected {len(self.shape.names)} cells; "
                f"{self.ragged:,} lines have another number, what they lack is left out"
            )
        return RawTable(
            title=title,
            files=(self.path,),
            columns=columns,
            rows=self.rows,
            places=np.concatenate(self.places) if self.places else np.zeros(0, dtype=np.int64),
            clock=clock,
            sessions=tuple(s for s in self.sessions if 0 < s < self.rows),
            notes=tuple(said),
        )


def _with_other_signs(texts: list[str]) -> Bools:
    """Tell which texts hold a letter or a sign that no number has, [len(texts)]."""
    signs = np.frombuffer("\n".join(texts).encode("utf-8", "replace"), dtype=np.uint8)
    ends = np.flatnonzero(signs == ord("\n"))
    lines = np.searchsorted(ends, np.flatnonzero(~_IN_NUMBERS[signs]))
    odd = np.zeros(len(texts), dtype=np.bool_)
    odd[lines] = True
    return odd


def _numbers(joined: str, delimiter: str, count: int) -> Floats | None:
    """Read so many numbers at once, empty cells as `_GAP`; None where one of the cells is none."""
    if delimiter.isspace():  # numpy takes any blanks for one, and would lose empty cells
        if "," in joined:
            return None
        joined, delimiter = joined.replace(delimiter, ","), ","
    if _GAP_CELL in joined:
        return None
    joined = f"{delimiter}{joined}{delimiter}"
    if " " in joined:  # of which numpy would make -1
        joined = re.sub(rf"(?<={re.escape(delimiter)})\s+(?={re.escape(delimiter)})", "", joined)
    twice, filled = 2 * delimiter, f"{delimiter}{_GAP_CELL}{delimiter}"
    joined = joined.replace(twice, filled).replace(twice, filled)[1:-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            values = np.fromstring(joined, dtype=np.float64, sep=delimiter)
        except (ValueError, DeprecationWarning):
            return None
    return values if len(values) == count else None


def _refuse(column: _Column, cell: str, row: int, line: int) -> None:
    """Note a cell that holds no number, or take it as a time."""
    if cell.strip().lower() in EMPTY_CELLS:
        return
    if len(cell) < 40 and cell[:1].isdigit():
        try:
            found = datetime.fromisoformat(cell.strip())
            stamp = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            stamp = None
        if stamp is not None:
            column.times.append(stamp)
            column.time_rows.append(row)
            return
    column.first_junk = column.first_junk if column.junk else (line, cell)
    column.junk += 1


def _as_short(column: _Column, cell: str) -> bool:
    """Whether earlier cells of a column were as short as one that may have been cut."""
    earlier = column.values[-1][-50:-1] if len(column.values[-1]) > 1 else np.zeros(0)
    decimals = len(cell.partition(".")[2])
    return bool(len(earlier)) and all(
        len(repr(float(v)).partition(".")[2]) <= decimals for v in earlier
    )
