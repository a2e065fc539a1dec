"""JSON Lines: one object a row, as many loggers append them."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dlcc.errors import RunError
from dlcc.runs.formats.quoting import one_line
from dlcc.runs.formats.reader import FoundFile, FoundRecord, Listing, Reader
from dlcc.runs.formats.text_lines import TextLines
from dlcc.runs.raw_table import RawColumn, RawTable, Scalar
from dlcc.runs.series_format import MAX_COLUMNS

_MOST_NUMBERS = 150_000_000
_MEANS = ("mean", "value", "avg", "average")
_DEEPEST = 4
_CLOCKS = ("timestamp", "_timestamp", "wall_time", "time")


class JsonLines(Reader):
    """Reader of JSON Lines of any name."""

    title: ClassVar = "JSON Lines"
    rank: ClassVar = 40

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        for file in listing.files:
            if starts_with_an_object(file):
                yield FoundRecord(self, file.path.parent, (file.path,))

    def read(self, record: FoundRecord) -> RawTable:
        rows = JsonRows()
        lines = TextLines(record.files[0])
        rows.take(lines)
        return rows.table(self.title, record.files, tuple(lines.notes))


def starts_with_an_object(file: FoundFile) -> bool:
    """Whether the first line of a file is a JSON object with a number in it, and ends there."""
    head = file.head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head.startswith(b"{") or not file.is_text:
        return False
    first, ended, rest = head.partition(b"\n")
    try:
        content = json.loads(first)
    except (ValueError, RecursionError):
        return False
    several = bool(ended) and rest.lstrip()[:1] in (b"{", b"")
    return several and isinstance(content, dict) and any(True for _ in numbers_of(content))


def numbers_of(content: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Iterate over the numbers of an object by name; a mapping with a mean counts as that mean.

    Args:
        content: Object of one row.

    Yields:
        Name, with slashes between nested keys, and number.

    >>> list(numbers_of({"loss": {"num": 8, "mean": 0.5}, "epoch": 3, "name": "a"}))
    [('loss', 0.5), ('epoch', 3.0)]
    """
    waiting: list[tuple[str, Any, int]] = [(str(k), v, 0) for k, v in reversed([*content.items()])]
    while waiting:
        name, value, depth = waiting.pop()
        if isinstance(value, bool) or value is None:
            continue
        if isinstance(value, int | float):
            try:
                yield name, float(value)
            except OverflowError:
                yield name, math.inf
        elif isinstance(value, str):
            if value in ("NaN", "nan", "inf", "-inf", "Infinity", "-Infinity"):
                yield name, float(value)
        elif isinstance(value, Mapping) and depth < _DEEPEST:
            mean = next((value[key] for key in _MEANS if key in value), None)
            if isinstance(mean, int | float) and len(value) <= 12:
                yield name, float(mean)
            else:
                waiting += [(f"{name}/{k}", v, depth + 1) for k, v in reversed([*value.items()])]


@dataclass
class JsonRows:
    """Rows of JSON objects, column by column."""

    rows: int = 0
    places: array[int] = field(default_factory=lambda: array("q"))
    config: dict[str, Scalar] = field(default_factory=dict)
    texts: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    """Short texts by name, of the first rows: names of snapshots and phases."""
    notes: list[str] = field(default_factory=list)
    _columns: dict[str, tuple[array[int], array[float]]] = field(default_factory=dict)
    _numbers: int = 0

    def take(self, lines: TextLines) -> None:
        """Take in all lines of a file; those that are no object are left out and counted."""
        wrong, first = 0, (0, "")
        for number, line in lines:
            if not line or line.isspace():
                continue
            try:
                content = json.loads(line)
            except (ValueError, RecursionError) as error:
                wrong += 1
                first = first if first[0] else (number, " ".join(str(error).split())[:80])
                continue
            if isinstance(content, dict):
                self.add(content, number)
        if wrong:
            self.notes.append(
                f"{lines.path}: line {first[0]:,}: no JSON object ({first[1]}); {wrong:,} such "
                "lines are left out"
            )

    def add(self, content: Mapping[str, Any], place: int) -> None:
        """Add a row.

        Raises:
            RunError: The rows have more numbers or columns than any record.
        """
        for name, value in numbers_of(content):
            column = self._columns.get(name)
            if column is None:
                if len(self._columns) >= MAX_COLUMNS:
                    continue
                column = self._columns[name] = (array("q"), array("d"))
            column[0].append(self.rows)
            column[1].append(value)
            self._numbers += 1
        for key, value in content.items():
            if isinstance(value, str) and len(value) < 200 and len(self.texts) < 50:
                self.texts.setdefault(str(key), []).append((self.rows, value))
        if self._numbers > _MOST_NUMBERS:
            raise RunError(
                f"line {place:,}: more than {_MOST_NUMBERS:,} numbers; keep every tenth row"
            )
        self.rows += 1
        self.places.append(place)

    def table(self, title: str, files: tuple[Path, ...], notes: tuple[str, ...]) -> RawTable:
        """Put the rows together.

        Raises:
            RunError: There is no number in any row.
        """
        columns = {
            one_line(name): RawColumn(np.array(rows, dtype=np.int64), np.array(values))
            for name, (rows, values) in self._columns.items()
        }
        if not columns:
            raise RunError(f"{files[0]}: no number in {self.rows:,} rows; expected one at least")
        clock = next((columns.pop(name) for name in _CLOCKS if _is_clock(columns, name)), None)
        times = None
        if clock is not None:
            times = np.full(self.rows, np.nan)
            times[clock.rows] = clock.values
        return RawTable(
            title=title,
            files=files,
            columns=columns,
            rows=self.rows,
            places=np.array(self.places, dtype=np.int64),
            clock=times,
            config=self.config,
            notes=(*notes, *self.notes),
        )


def _is_clock(columns: Mapping[str, RawColumn], name: str) -> bool:
    """Whether a column holds Unix times in seconds of this century."""
    column = columns.get(name)
    return column is not None and bool(np.all((column.values > 9.4e8) & (column.values < 4.1e9)))
