"""File of the whole series, beside the page that shows them thinned."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from dlcc.records import Series
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
    columns = {name: c for name, c in series.columns.items() if len(c.steps)}
    logged = [c.steps for c in columns.values()] or [np.zeros(0, dtype=np.int64)]
    steps: Ints = np.unique(np.concatenate(logged))
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["step", *(printable(name) for name in columns)])
        for first in range(0, len(steps), _ROWS):
            chunk = steps[first : first + _ROWS]
            cells = [_cells(chunk, c.steps, c.values) for c in columns.values()]
            rows.writerows(zip(chunk.tolist(), *cells, strict=True))


def _cells(chunk: Ints, steps: Ints, values: Floats) -> list[str]:
    """Texts of a column at the steps of a chunk."""
    first, last = np.searchsorted(steps, [chunk[0], chunk[-1] + 1])
    own = values[first:last].tolist()
    texts = [repr(v) if math.isfinite(v) else str(v) for v in own]
    if len(texts) == len(chunk):
        return texts
    found = dict(zip(steps[first:last].tolist(), texts, strict=True))
    return [found.get(step, "") for step in chunk.tolist()]
