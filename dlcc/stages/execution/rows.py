"""Table of the logged quantities, with the numbers that a replay can be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.records import Column, Series

UPDATES, UPDATE_NORM = "/updates", "/update_norm"
"""Endings of the quantities that the recorder tracks of each player: counted, or measured, since
the row before of the same quantity."""
_NEVER = -(1 << 62)


@dataclass(frozen=True)
class LoggedRows:
    """Table of the logged quantities over all steps."""

    names: tuple[str, ...]
    """Names of the k quantities."""
    steps: NDArray[np.int64]
    """Steps [n], ascending, at which any of the quantities was logged."""
    values: NDArray[np.float64]
    """Values [n, k]; NaN where not logged, see `present`."""
    present: NDArray[np.bool_]
    """Marks [n, k] of the numbers that were logged."""
    changes: NDArray[np.float64]
    """Changes [n, k]: as `values`, but counts of optimiser steps since the row before."""
    since: NDArray[np.int64]
    """Step [n, k] of the row before, from which changes count; a low number for none."""

    @classmethod
    def of(cls, series: Series) -> LoggedRows:
        """Make the table of a run's series."""
        columns = series.columns
        every: Sequence[NDArray[np.int64]] = [c.steps for c in columns.values()]
        steps = np.unique(np.concatenate(every)) if every else np.zeros(0, np.int64)
        values = np.full((len(steps), len(columns)), np.nan)
        present, changes = np.zeros(values.shape, np.bool_), values.copy()
        since = np.full(values.shape, _NEVER)
        for j, (name, column) in enumerate(columns.items()):
            at = np.searchsorted(steps, column.steps)
            values[at, j], present[at, j] = column.values, True
            changes[at, j], since[at, j] = _changes(name, column, series.restarts)
        return cls(tuple(columns), steps, values, present, changes, since)

    def window(self, first: int, count: int) -> Window:
        """Take the steps `first` to `first + count - 1`."""
        shape = (count, len(self.names))
        window = Window(
            first,
            np.full(shape, np.nan),
            np.zeros(shape, np.bool_),
            np.full(shape, np.nan),
            np.zeros(shape, np.bool_),
        )
        low, high = np.searchsorted(self.steps, [first, first + count])
        at, rows = self.steps[low:high] - first, slice(low, high)
        window.values[at], window.present[at] = self.values[rows], self.present[rows]
        window.changes[at] = self.changes[rows]
        window.countable[at] = self.present[rows] & (self.since[rows] >= first - 1)
        return window

    def count_from(self, first: int) -> int:
        """Count the steps from `first` on that lie within the record."""
        return max(0, int(self.steps[-1]) + 1 - first) if len(self.steps) else 0

    @property
    def shares(self) -> dict[str, float]:
        """Quantity -> its share of all recorded numbers."""
        counts = self.present.sum(axis=0)
        return {n: float(c / counts.sum()) for n, c in zip(self.names, counts, strict=True) if c}

    @property
    def are_tracked(self) -> NDArray[np.bool_]:
        """Marks [k] of the quantities whose names are those that the recorder tracks."""
        return self.end_in(UPDATES) | self.end_in(UPDATE_NORM)

    def end_in(self, ending: str) -> NDArray[np.bool_]:
        """Marks [k] of the quantities whose names have this ending."""
        return np.array([name.endswith(ending) for name in self.names], np.bool_)


@dataclass(frozen=True)
class Window:
    """Part of the table that a walk from a snapshot passes."""

    first: int
    values: NDArray[np.float64]
    """Values [count, k]."""
    present: NDArray[np.bool_]
    """Marks [count, k] of the numbers that were logged."""
    changes: NDArray[np.float64]
    """Changes [count, k] since the row before."""
    countable: NDArray[np.bool_]
    """Marks [count, k] of changes since the row before that happen within the walk."""

    def ends(self, tracked: NDArray[np.bool_]) -> list[int]:
        """Steps with a row of a quantity that is `tracked` [k]."""
        rows = np.flatnonzero((self.present & tracked).any(axis=1))
        return [int(self.first + row) for row in rows]


def _changes(
    name: str, column: Column, restarts: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Compute the change since the row before, and the step of that row.

    The first row of a session counts from weights that nobody recorded, unless it is the very
    first; a norm that is NaN was not measured (docs/run-format.md, "Updates").
    """
    before = np.concatenate([[-1 if column.steps[:1] == 0 else _NEVER], column.steps[:-1]])
    before[np.isin(column.steps, restarts)] = _NEVER
    if name.endswith(UPDATES):
        return np.diff(column.values, prepend=0.0), before
    return column.values, np.where(np.isnan(column.values), _NEVER, before)
