"""Shape of a table with delimiters: what separates its cells, and what its columns are called."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcc.errors import SeriesError
from dlcc.runs.formats.log_tokens import ABSENT, cleaned, value_of
from dlcc.runs.formats.reader import FoundFile
from dlcc.runs.series_format import MAX_COLUMNS

_DELIMITERS = (",", "\t", ";", "|")
EMPTY_CELLS = frozenset(
    ("", "na", "n/a", "none", "null", "-", "--", "...", "......", "<na>", "nat")
)
"""Cells, in lower case, that stand for a value that is missing."""
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
_IN_A_LOG = re.compile(r"[:=]\s*[-+]?\.?\d|\d:\d\d")
"""Text that lines of a log hold and no name of a column does: `loss: 0.5`, a time."""


@dataclass(frozen=True)
class TableShape:
    """Shape of a table: its delimiter and its columns."""

    delimiter: str
    names: tuple[str, ...]
    header: bool
    """Whether the first line names the columns."""


def sniffed(file: FoundFile) -> TableShape | None:
    """Shape that the first lines of a file have in common; None where it is no table of numbers.

    Raises:
        SeriesError: The table has more columns than any record.
    """
    text = file.head.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    whole = text.split("\n")
    lines = [line for line in (whole[:-1] or whole)[:60] if line.strip()]
    if not lines:
        return None
    if len(whole) == 1 and text.count(",") > MAX_COLUMNS:
        raise _too_wide(file.path, text.count(",") + 1)
    for delimiter in _DELIMITERS:
        shape = _shape(file.path, lines, delimiter)
        if shape is not None:
            return shape
    single = [line.strip() for line in lines]
    if len(single) > 2 and not _is_cell(single[0]) and all(map(_is_cell, single[1:])):
        return TableShape(",", (_clean_name(single[0], 0),), True) if _is_name(single[0]) else None
    return None


def _shape(path: Path, lines: Sequence[str], delimiter: str) -> TableShape | None:
    if delimiter not in lines[0]:
        return None
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
    except csv.Error:
        return None
    width = len(rows[0])
    if width > MAX_COLUMNS:
        raise _too_wide(path, width)
    fitting = [row for row in rows[1:] if abs(len(row) - width) <= 1]
    if width < 2 or len(fitting) < 0.7 * len(rows[1:]) or (len(rows) > 1 and not fitting):
        return None
    if all(_is_cell(cell) for cell in rows[0]) and any(cell.strip() for cell in rows[0]):
        names = tuple(f"#{i}" for i in range(1, width + 1))
        return TableShape(delimiter, names, False) if len(rows) > 1 else None
    if any(_IN_A_LOG.search(cell) for cell in rows[0]):
        return None
    named = sum(_is_name(cell) for cell in rows[0])
    numbers = sum(_is_cell(cell) and cell.strip() != "" for row in fitting for cell in row)
    if named < width - 1 or numbers < 0.2 * sum(map(len, fitting)):
        return None
    if not fitting and not any(c in rows[0][0].lower() for c in ("epoch", "step", "iter", "loss")):
        return None
    columns = _without_the_run([_clean_name(cell, at) for at, cell in enumerate(rows[0])])
    return TableShape(delimiter, _unique(columns), True)


def _too_wide(path: Path, width: int) -> SeriesError:
    return SeriesError(
        f"{path}: line 1: {width:,} columns, expected at most {MAX_COLUMNS:,}; keep those that are "
        "needed"
    )


def _without_the_run(names: Sequence[str]) -> Sequence[str]:
    """Names without that of the run, which wandb's export puts before each: `sunny-3 - d_loss`."""
    runs = {name.partition(" - ")[0] for name in names[1:] if " - " in name}
    if len(runs) != 1 or not all(" - " in name for name in names[1:]):
        return names
    return [names[0], *(name.partition(" - ")[2] for name in names[1:])]


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Names of which each comes once: a second one gets its count."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(unique)


def _clean_name(cell: str, index: int) -> str:
    shown = " ".join("".join(c if c.isprintable() else " " for c in cell.lstrip("# ")).split())
    return shown[:120] or ("(index)" if index == 0 else f"#{index + 1}")


def _is_cell(cell: str) -> bool:
    """Whether a cell holds a number, or stands for one that is missing."""
    return cell.strip().lower() in EMPTY_CELLS or number_in(cell) is not None


def _is_name(cell: str) -> bool:
    """Whether a cell can name a column."""
    return 0 < len(cell.strip()) <= 200 and not _is_cell(cell)


def number_in(cell: str) -> float | None:
    """Read the number of a cell.

    Args:
        cell: Text such as `0.5`, `tensor(0.5, grad_fn=...)`, `1,5` or `51.5%`.

    Returns:
        Number; None where the cell holds none.

    >>> number_in("tensor(10.529, grad_fn=<AddBackward0>)"), number_in("N/A"), number_in("12%")
    (10.529, None, 12.0)
    """
    text = cell.strip()
    try:
        return float(text)
    except ValueError:
        pass
    if not text or len(text) > 400 or text.lower() in EMPTY_CELLS:
        return None
    if _DECIMAL_COMMA.fullmatch(text):
        return float(text.replace(",", "."))
    bare = cleaned(text).strip("[]() \"'%")
    value = value_of(bare)
    return None if value == ABSENT else value
