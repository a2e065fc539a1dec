"""File of the whole series, beside the page that shows them thinned."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import numpy as np

from dlcc.records import Column, Series
from dlcc.report.text import printable
from dlcc.typing import Floats, Ints

NAME = "series.csv"
_ROWS = 50_000  # at once: the texts of so many rows are small beside the series


def write_series(path: Path, series: Series) -> None:
    """Write series as CSV: a row a step, a column a quantity; a cell is empty where nothing was
    logged.

    Args:
        path: File to write.
        series: Series to write, in their full precision.

    Raises:
        OSError: The file cannot be written.
    """
    columns = _logged(series)
    steps = _steps(columns)
    with path.open("w", encoding="utf-8", newline="") as file:
        _write_head(file, columns)
        for first in range(0, len(steps), _ROWS):
            _write_rows(file, columns, steps[first : first + _ROWS])


def is_file_of(path: Path, series: Series) -> bool:
    """Whether a file that `write_series` wrote is of these series, by its names and last row.

    Args:
        path: File, which may be missing.
        series: Series that it is held against.
    """
    columns = _logged(series)
    head, last = io.StringIO(), io.StringIO()
    _write_head(head, columns)
    _write_rows(last, columns, _steps(columns)[-1:])
    first, end = head.getvalue().encode(), f"\n{last.getvalue()}".encode()
    try:
        with path.open("rb") as file:
            if file.read(len(first)) != first:
                return False
            file.seek(-min(len(end), file.seek(0, io.SEEK_END)), io.SEEK_END)
            return file.read() == end
    except OSError:
        return False


def _logged(series: Series) -> dict[str, Column]:
    return {name: c for name, c in series.columns.items() if len(c.steps)}


def _steps(columns: Mapping[str, Column]) -> Ints:
    """Steps [n] at which any column has a value."""
    logged = [c.steps for c in columns.values()] or [np.zeros(0, dtype=np.int64)]
    steps: Ints = np.unique(np.concatenate(logged))
    return steps


def _write_head(file: TextIO, columns: Mapping[str, Column]) -> None:
    names = ["step", *map(_header, columns)]
    csv.writer(file, lineterminator="\n").writerow(names)


def _write_rows(file: TextIO, columns: Mapping[str, Column], steps: Ints) -> None:
    if len(steps):
        cells = [_cells(steps, c.steps, c.values) for c in columns.values()]
        rows = zip(steps.tolist(), *cells, strict=True)
        csv.writer(file, lineterminator="\n").writerows(rows)


def _header(name: str) -> str:
    """Header of a column, which no spreadsheet takes for a formula."""
    shown = str(printable(name))
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def _cells(chunk: Ints, steps: Ints, values: Floats) -> list[str]:
    """Texts of a column at the steps of a chunk."""
    first, last = np.searchsorted(steps, [chunk[0], chunk[-1] + 1])
    own = values[first:last].tolist()
    texts = [repr(v) if math.isfinite(v) else str(v) for v in own]
    if len(texts) == len(chunk):
        return texts
    found = dict(zip(steps[first:last].tolist(), texts, strict=True))
    return [found.get(step, "") for step in chunk.tolist()]
