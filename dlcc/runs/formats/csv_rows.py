"""Rows of a CSV of metrics, read in one pass and in bounded memory."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import SeriesError
from dlcc.runs.formats.csv_header import EXAMPLE, Header, read_header
from dlcc.runs.formats.history import History, Logged
from dlcc.runs.formats.quoting import listed, short
from dlcc.runs.series import Series
from dlcc.typing import Floats, Ints

_MAX_BYTES = 2 << 30
MAX_NUMBERS = 150_000_000  # what is held of a file: 8 bytes each
_MAX_FALLS = 1000  # how often a training can plausibly have been resumed from an earlier step
BLOCK_BYTES = 1 << 20  # bytes read at once; no line may be longer
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+(e[+-]?\d+)?\s*", re.IGNORECASE)


class CsvSeries(NamedTuple):
    """Series of a CSV file, with notes on how it was read."""

    table: Series
    text: tuple[str, ...]
    """Columns that bear a series' name and hold text."""
    rows: int
    replaced: int
    """Number of first rows, of earlier trainings that a later one in the file supersedes."""


class CsvFile:
    """Pass over a CSV file: its header is read at once, its rows when asked for.

    Raises:
        SeriesError: A line is malformed; the message says which, what was expected, what to do.
        OptionError: The mapping names a column that is not there.
    """

    def __init__(self, path: Path, stream: BufferedReader, mapping: Mapping[str, str]) -> None:
        self.path = path
        size = os.fstat(stream.fileno()).st_size
        if size > _MAX_BYTES:
            raise SeriesError(
                f"{path}: {size:,} bytes, expected at most {_MAX_BYTES:,}; keep every tenth row, "
                "or the columns that are needed"
            )
        self._blocks = _blocks(path, stream)
        self._first = next(self._blocks, _Block([""], True))
        line = self._first.lines.pop(0).removesuffix("\r")
        if not line.strip():
            raise SeriesError(
                f"{path}: its first line is empty; expected a header such as {EXAMPLE} and a row "
                "a step"
            )
        self.header = read_header(path, line, mapping)

    def read(self) -> CsvSeries:
        """Read all series.

        Raises:
            SeriesError: A line is malformed.
        """
        if not self.header.series:
            named = [name for name in self.header.columns if name]
            raise SeriesError(
                f"{self.path}: found {listed('column', named)}, none of which is a known series; "
                "name them with --map discriminator/loss=COLUMN --map generator/loss=COLUMN"
            )
        rows = _Rows(self.path, self.header)
        rows.take(self._first)
        for block in self._blocks:
            rows.take(block)
        return rows.series()


class _Block(NamedTuple):
    """Block of lines, without their line ends."""

    lines: list[str]
    cut: bool
    """Whether the file ends with the block's last line, and that line has no line end."""


def _blocks(path: Path, stream: BufferedReader) -> Iterator[_Block]:
    rest, offset = b"", 0
    while data := stream.read(BLOCK_BYTES):
        whole, newline, rest = (rest + data).rpartition(b"\n")
        if newline:
            yield _Block(_decoded(path, whole, offset).split("\n"), False)
            offset += len(whole) + 1
        if len(rest) > BLOCK_BYTES:
            raise SeriesError(
                f"{path}: a line of more than {BLOCK_BYTES:,} bytes after byte {offset:,}; "
                "expected one row a line"
            )
    if rest:
        yield _Block([_decoded(path, rest, offset)], True)


def _decoded(path: Path, data: bytes, offset: int) -> str:
    why = "a NUL"
    at = data.find(b"\0")
    if at < 0:
        try:
            return data.decode("utf-8" if offset else "utf-8-sig")
        except UnicodeDecodeError as error:
            at, why = error.start, "no UTF-8"
    raise SeriesError(
        f"{path}: {why} at byte {offset + at:,}; expected a text file in UTF-8, save it as one"
    )


class _BadCellError(Exception):
    """Error for a cell that is no number, by its row."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row


@dataclass
class _Rows:
    """Numbers read so far."""

    path: Path
    header: Header
    parts: dict[str, list[Logged]] = field(default_factory=dict)
    steps: list[Ints] = field(default_factory=list)
    sessions: list[int] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    rows: int = 0
    line: int = 2
    torn: bool = False

    def __post_init__(self) -> None:
        self.parts = {name: [] for name in self.header.series}

    def take(self, block: _Block) -> None:
        """Add the lines of a block."""
        table = None if block.cut else self._regular(block.lines)
        if table is not None:
            self._add_regular(block.lines, table)
        else:
            self._add_cells(*self._cells(block))
        self.line += len(block.lines)
        if self.rows * (len(self.parts) + 1) > MAX_NUMBERS:
            raise SeriesError(
                f"{self.path}: more than {MAX_NUMBERS:,} numbers; keep every tenth row, or the "
                "columns that are needed"
            )

    def series(self) -> CsvSeries:
        """Put the rows read so far together as series."""
        if not self.rows:
            raise SeriesError(
                f"{self.path}: a header and no rows; expected a row a step, so name the folder of "
                "a training that has begun"
            )
        quantities = {name: _joined(self.parts.pop(name)) for name in list(self.parts)}
        history = History(np.concatenate(self.steps), quantities, self.sessions, self.torn)
        falls, kept = len(history.falls()), history.kept()
        if falls > _MAX_FALLS or (falls > 2 and kept is not None and kept.mean() < 0.5):
            raise SeriesError(
                f"{self.path}: the steps go back {falls:,} times, as if they were counted anew in "
                "each epoch; expected steps counted through the whole training, name their column "
                "with --map step=COLUMN"
            )
        return CsvSeries(history.table(), tuple(self.text), self.rows, history.replaced())

    # Most files are numbers and nothing else, which numpy reads several times as fast.

    def _regular(self, lines: Sequence[str]) -> Floats | None:
        """Used columns `[n, k]` of lines that hold a number in each of them; else None."""
        delimiter, between = self.header.delimiter, len(self.header.columns) - 1
        if not lines or {line.count(delimiter) for line in lines} != {between}:
            return None
        if not lines[0].strip() or any('"' in line for line in lines):
            return None
        columns = [self.header.series[name] for name in self.parts]
        if self.header.steps is not None:
            columns.insert(0, self.header.steps)
        try:
            table = np.loadtxt(lines, delimiter=delimiter, usecols=columns, comments=None, ndmin=2)
        except ValueError:
            return None
        return table if len(table) == len(lines) else None

    def _add_regular(self, lines: Sequence[str], table: Floats) -> None:
        if self.header.steps is not None:
            bad = _first_bad_step(table[:, 0])
            if bad is not None:
                cell = lines[bad].rstrip("\r").split(self.header.delimiter)[self.header.steps]
                self._refuse_step(self.line + bad, cell)
            self.steps.append(table[:, 0].astype(np.int64))
            table = table[:, 1:]
        else:
            self.steps.append(np.arange(self.rows, self.rows + len(table), dtype=np.int64))
        for part, values in zip(self.parts.values(), table.T, strict=True):
            part.append(Logged(np.ascontiguousarray(values)))
        self.rows += len(table)

    # Empty cells, quotes, blank lines, repeated headers, and whatever is wrong.

    def _cells(self, block: _Block) -> tuple[list[list[str]], list[int]]:
        """Cells of those rows that have as many as the header, and the line number of each."""
        columns = self.header.columns
        rows: list[list[str]] = []
        numbers: list[int] = []
        for number, row in enumerate(self._split(block.lines), self.line):
            last = number == self.line + len(block.lines) - 1
            if not any(cell.strip() for cell in row) and len(row) != len(columns):
                continue
            if tuple(cell.strip() for cell in row) == columns:
                self.sessions.append(self.rows + len(rows))
            elif block.cut and last and self._is_torn(row):
                self.torn = True
            elif len(row) != len(columns):
                self._refuse(
                    number,
                    f"{len(row)} cells, the header names {len(columns)} columns; correct the line "
                    "(was it cut by a kill, or are its numbers written with a decimal comma?)",
                )
            else:
                rows.append(row)
                numbers.append(number)
        return rows, numbers

    def _split(self, lines: Sequence[str]) -> list[list[str]]:
        reader = csv.reader(lines, delimiter=self.header.delimiter, skipinitialspace=True)
        rows: list[list[str]] = []
        try:
            for row in reader:
                if reader.line_num != len(rows) + 1:
                    raise csv.Error("a quoted cell runs over several lines")
                rows.append(row)
        except csv.Error as error:
            line = self.line + len(rows)
            self._refuse(line, f"cannot be read as CSV ({error}); correct the line")
        return rows

    def _is_torn(self, row: Sequence[str]) -> bool:
        """Whether a last line without its end lacks cells, or ends within a number."""
        end = row[-1].strip()
        return len(row) < len(self.header.columns) or (bool(end) and not _is_number(end))

    def _add_cells(self, rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> None:
        if not rows:
            return
        cells = list(zip(*rows, strict=True))
        self.steps.append(self._steps(cells, numbers))
        for name in list(self.parts):
            index = self.header.series[name]
            try:
                self.parts[name].append(_numbers(cells[index]))
            except _BadCellError as bad:
                if name not in self.header.optional:
                    self._refuse_number(numbers[bad.row], index, cells[index][bad.row])
                del self.parts[name]
                self.text.append(name)
        self.rows += len(rows)

    def _steps(self, cells: Sequence[Sequence[str]], numbers: Sequence[int]) -> Ints:
        index = self.header.steps
        if index is None:
            return np.arange(self.rows, self.rows + len(numbers), dtype=np.int64)
        try:
            steps = _numbers(cells[index]).values
        except _BadCellError as error:
            self._refuse_step(numbers[error.row], cells[index][error.row])
        bad = _first_bad_step(steps)
        if bad is not None:
            self._refuse_step(numbers[bad], cells[index][bad])
        return steps.astype(np.int64)

    def _refuse_step(self, line: int, cell: str) -> NoReturn:
        assert self.header.steps is not None
        self._refuse(
            line,
            f"column {self._named(self.header.steps)}: expected a step, a whole number from 0 to "
            f"2^53 - 1, found {short(cell)}; correct it, or name another column with "
            "--map step=COLUMN",
        )

    def _refuse_number(self, line: int, index: int, cell: str) -> NoReturn:
        wish = "correct it, or leave the cell empty where nothing was logged"
        if _DECIMAL_COMMA.fullmatch(cell):
            wish = "numbers with a decimal comma are not read, write a point"
        self._refuse(
            line, f"column {self._named(index)}: expected a number, found {short(cell)}; {wish}"
        )

    def _named(self, index: int) -> str:
        return listed("", [self.header.columns[index]]).strip()

    def _refuse(self, line: int, what: str) -> NoReturn:
        raise SeriesError(f"{self.path}: line {line}: {what}")


def _first_bad_step(steps: Floats) -> int | None:
    """Index of the first step that is no whole number from 0 to 2⁵³ − 1."""
    with np.errstate(invalid="ignore"):
        good = (steps >= 0) & (steps < 2**53) & (steps % 1 == 0)
    return None if good.all() else int(np.argmin(good))


def _numbers(cells: Sequence[str]) -> Logged:
    """Parse the cells of a column; empty cells were not logged.

    Raises:
        _BadCellError: A cell is neither a number nor empty; the first one is named.
    """
    present = np.array([bool(cell) and not cell.isspace() for cell in cells])
    values = np.full(len(cells), np.nan)
    for row in np.flatnonzero(present).tolist():
        try:
            values[row] = float(cells[row])
        except ValueError:
            raise _BadCellError(row) from None
    if "_" in "".join(cells):  # float() takes 1_000 for a number
        raise _BadCellError(next(row for row, cell in enumerate(cells) if "_" in cell))
    return Logged(values, None if present.all() else present)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _joined(parts: Sequence[Logged]) -> Logged:
    values = np.concatenate([part.values for part in parts])
    if all(part.present is None for part in parts):
        return Logged(values)
    masks: list[NDArray[np.bool_]] = [
        np.ones(len(part.values), dtype=bool) if part.present is None else part.present
        for part in parts
    ]
    return Logged(values, np.concatenate(masks))
