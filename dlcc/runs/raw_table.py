"""Raw table: the numbers of a foreign record under the names that it gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dlcc.typing import Floats, Ints

Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class RawColumn:
    """Numbers that a record has under one name, in the order in which they were written."""

    rows: Ints
    """Row [n] of the table in which each number was written, strictly ascending."""
    values: Floats
    """Numbers [n]; NaN and infinities are values that the record states."""

    @classmethod
    def of_cells(cls, cells: Sequence[float | None]) -> RawColumn:
        """Make a column of a cell for each row.

        Args:
            cells: Cells [rows]; None where nothing was written.

        Returns:
            Column of the rows that have a number.

        >>> RawColumn.of_cells([1.0, None, 3.0]).rows.tolist()
        [0, 2]
        """
        there = [row for row, cell in enumerate(cells) if cell is not None]
        return cls(
            np.array(there, dtype=np.int64),
            np.array([cells[row] for row in there], dtype=np.float64),
        )


@dataclass(frozen=True)
class RawTable:
    """Content of a foreign record before anything is made of it: columns in the order of writing.

    >>> table = RawTable("CSV", (Path("a.csv"),), {"x": RawColumn.of_cells([1.0, 2.0])}, rows=2)
    >>> table.dense("x").tolist()
    [1.0, 2.0]
    """

    title: str
    """Format in words, such as "StyleGAN stats.jsonl"."""
    files: tuple[Path, ...]
    """Files that were read."""
    columns: Mapping[str, RawColumn]
    """Columns by the record's own names; a name is one line of printable text."""
    rows: int
    """Number of rows that were written."""
    places: Ints | None = None
    """Line [rows] of the (first) file, from 1, at which each row begins; None where lines mean
    nothing."""
    steps: Ints | None = None
    """Step [rows] of each row where the format itself states one; else the axis is told from the
    columns."""
    clock: Floats | None = None
    """Unix time [rows] in seconds at which each row was written, NaN where unknown."""
    sessions: tuple[int, ...] = ()
    """Rows at which the format itself says that a recording began anew: a header that comes again,
    a further event file."""
    config: Mapping[str, Scalar] = field(default_factory=dict)
    """Configuration that the record states, flat: `optimizer.lr` for nested keys."""
    notes: tuple[str, ...] = ()
    """Sentences on what was damaged or left out: file, place, what was done about it."""

    def dense(self, name: str) -> Floats:
        """Spread a column over all rows.

        Args:
            name: One of `columns`.

        Returns:
            Values [rows], NaN where nothing was written.
        """
        column = self.columns[name]
        values = np.full(self.rows, np.nan)
        values[column.rows] = column.values
        return values


def flat(content: Mapping[str, object], most: int = 2_000) -> dict[str, Scalar]:
    """Flatten a nested configuration.

    Args:
        content: Keys to plain values, mappings or lists; a short list of scalars is kept as text.
        most: Number of keys after which the rest is left out.

    Returns:
        Values by keys joined with points.

    >>> flat({"optimizer": {"lr": 0.1}, "sizes": [3, 4]})
    {'optimizer.lr': 0.1, 'sizes': '[3, 4]'}
    """
    found: dict[str, Scalar] = {}
    waiting: list[tuple[str, Iterable[tuple[object, object]]]] = [("", iter(content.items()))]
    while waiting and len(found) < most:  # no recursion: a file may nest deeper than Python calls
        prefix, items = waiting[-1]
        key, value = next(iter(items), (None, None))
        if key is None:
            waiting.pop()
            continue
        name = f"{prefix}{key}"[:200]
        if isinstance(value, Mapping) and len(waiting) < 20:
            waiting.append((f"{name}.", iter(value.items())))
        elif value is None or isinstance(value, str | int | float | bool):
            found[name] = value[:1_000] if isinstance(value, str) else value
        elif _is_short_list(value):
            found[name] = str(value)[:1_000]
    return found


def _is_short_list(value: object) -> bool:
    """Whether a value is a list of a few plain values."""
    return (
        isinstance(value, list | tuple)
        and len(value) <= 20
        and all(isinstance(item, str | int | float | bool) for item in value)
    )
