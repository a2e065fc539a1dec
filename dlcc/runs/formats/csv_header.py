"""Header of a CSV of metrics: which column is which series."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dlcc.errors import OptionError, SeriesError
from dlcc.runs.formats.format import STEP
from dlcc.runs.formats.quoting import listed, short
from dlcc.runs.series_format import MAX_COLUMNS, is_quantity

KNOWN: Mapping[str, str] = {
    "step": STEP,
    "d_loss": "discriminator/loss",
    "g_loss": "generator/loss",
    "d_grad_norm": "discriminator/grad_norm",
    "g_grad_norm": "generator/grad_norm",
    "d_real": "discriminator/real",
    "d_fake": "discriminator/fake",
}
"""Columns that need no mapping, with the series that each is."""
EXAMPLE = "step,d_loss,g_loss"
_DELIMITERS = (",", ";", "\t")


@dataclass(frozen=True)
class Header:
    """Content of the first line: columns, and the series that they are."""

    delimiter: str
    columns: tuple[str, ...]
    steps: int | None
    """Index of the column of steps; None where there is none."""
    series: Mapping[str, int]
    """Series `player/quantity` to the index of its column."""
    optional: frozenset[str]
    """Series that are taken for their column's name alone, and may turn out to be text."""
    left_out: tuple[str, ...]
    """Names of columns that are no series."""

    @property
    def players(self) -> set[str]:
        """Players that have a series here."""
        return {name.partition("/")[0] for name in self.series}


def read_header(path: Path, line: str, mapping: Mapping[str, str]) -> Header:
    """Read the columns of the first line, and find the series that they are.

    A mapped column goes before one that bears a series' name, and that before a known short one.

    Raises:
        SeriesError: The line is no header, or names a column twice.
        OptionError: The mapping names a column that is not there.
    """
    delimiter, columns = _split(path, line)
    place = {name: i for i, name in enumerate(columns) if name}
    mapped: dict[str, int] = {}
    for name, column in mapping.items():
        if column.strip() not in place:
            raise OptionError(
                f"--map {name}={column}: {path} has no such column; it has "
                f"{listed('column', list(place))}"
            )
        mapped[name] = place[column.strip()]
    free = {column: i for column, i in place.items() if i not in mapped.values()}
    named = {column: i for column, i in free.items() if is_quantity(column)}
    known = {KNOWN[column]: i for column, i in free.items() if column in KNOWN}
    series = {**known, **named, **mapped}
    steps = series.pop(STEP, None)
    used = {*series.values(), steps}
    return Header(
        delimiter=delimiter,
        columns=columns,
        steps=steps,
        series=series,
        optional=frozenset(named.keys() - mapped.keys()),
        left_out=tuple(name for name, i in place.items() if i not in used),
    )


def _split(path: Path, line: str) -> tuple[str, tuple[str, ...]]:
    """Split the line with the delimiter that gives most columns; returns the delimiter and the
    names."""
    splits: dict[str, Sequence[str]] = {}
    for candidate in _DELIMITERS:
        try:
            splits[candidate] = next(csv.reader([line], delimiter=candidate, skipinitialspace=True))
        except csv.Error as error:
            raise SeriesError(
                f"{path}: line 1: cannot be read as CSV ({error}); expected a header such as "
                f"{EXAMPLE}"
            ) from None
    delimiter = max(_DELIMITERS, key=lambda d: len(splits[d]))
    columns = tuple(cell.strip() for cell in splits[delimiter])
    if len(columns) > MAX_COLUMNS:
        raise SeriesError(
            f"{path}: line 1: {len(columns):,} columns, expected at most {MAX_COLUMNS:,}; keep "
            "those that are needed"
        )
    if all(_is_number(cell) for cell in columns):
        raise SeriesError(
            f"{path}: line 1: expected the names of the columns such as {EXAMPLE}, found "
            f"{short(line)}; write a header above the numbers"
        )
    for name, count in Counter(columns).items():
        if name and count > 1:
            raise SeriesError(
                f"{path}: line 1: {count} columns are named {short(name)}; rename all but one"
            )
    return delimiter, columns


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
