"""Conversion of rows in the order in which they were written to series, rewinds included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.runs.series import Column, Series
from dlcc.typing import Floats, Ints

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Logged:
    """Values of one quantity, row by row."""

    values: Floats
    """Values `[n]`; NaN where nothing was logged."""
    present: NDArray[np.bool_] | None = None
    """Mask `[n]` of the rows that have the quantity; None where all have it."""


@dataclass(frozen=True)
class History:
    """Rows as they were written, some superseded by a training that went back."""

    steps: Ints
    """Step `[n]` of each row."""
    quantities: Mapping[str, Logged]
    sessions: Sequence[int] = ()
    """Indices of the rows at which later recording sessions began."""
    torn: bool = False

    def falls(self) -> Ints:
        """Indices of the rows at which the training went back: their step lies below the last one.

        A step that comes twice in a row does not count, for a script may write each player's cells
        apart; it does count where a session begins with it.
        """
        rows = np.flatnonzero(self.steps[1:] < self.steps[:-1]) + 1
        again = [row for row in self.sessions if 0 < row < len(self.steps)]
        again = [row for row in again if self.steps[row] == self.steps[row - 1]]
        return np.union1d(rows, again).astype(np.int64) if again else rows

    def kept(self) -> NDArray[np.bool_] | None:
        """Mask `[n]` of the rows whose step lies below that of each fall after them; None: all
        rows."""
        falls = self.falls()
        if not len(falls):
            return None
        later = np.full(len(self.steps) + 1, _NEVER)
        later[falls] = self.steps[falls]
        smallest = np.minimum.accumulate(later[::-1])[::-1]
        kept: NDArray[np.bool_] = self.steps < smallest[1:]
        return kept

    def rewinds(self) -> tuple[tuple[int, int], ...]:
        """Rewinds (from, to): the last step reached, and the step the training went back to."""
        found = []
        reached, position = -1, 0
        for row in self.falls().tolist():
            reached = max(reached, int(self.steps[position:row].max()))
            target = int(self.steps[row])
            found.append((reached, target))
            reached, position = target - 1, row
        return tuple(found)

    def table(self) -> Series:
        """Put the rows together as series; of equal steps the value written last stands."""
        kept = self.kept()
        steps = self.steps if kept is None else self.steps[kept]
        unknown = np.full(len(steps), np.nan)
        unknown.flags.writeable = False
        doubled = bool((steps[1:] == steps[:-1]).any())
        columns = {}
        for name, logged in self.quantities.items():
            values, present = logged.values, logged.present
            if kept is not None:
                values, present = values[kept], None if present is None else present[kept]
            its = steps
            if present is not None:
                its, values = its[present], values[present]
            if doubled:
                last = np.append(its[1:] != its[:-1], True)[: len(its)]
                its, values = its[last], values[last]
            for array in (its, values):
                array.flags.writeable = False  # the table is shared by all who ask for it
            if len(its):
                columns[name] = Column(its, values, unknown[: len(its)])
        return Series(
            columns=columns,
            restarts=tuple(int(self.steps[row]) for row in self.sessions if row < len(self.steps)),
            rewinds=self.rewinds(),
            torn=self.torn,
        )
