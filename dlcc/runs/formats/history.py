"""From rows in the order in which they were written to series, for formats that note no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.typing import Floats, Ints
from dlcc.runs.series import Column, Series

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Logged:
    """One quantity as its rows hold it."""

    values: Floats
    """`[n]`, NaN where nothing was logged."""
    present: NDArray[np.bool_] | None = None
    """`[n]`: whether something was; None where every row has it."""


@dataclass(frozen=True)
class History:
    """Rows as they were written, of which a training that went back supersedes some."""

    steps: Ints
    """`[n]`."""
    quantities: Mapping[str, Logged]
    sessions: Sequence[int] = ()
    """The rows at which later recording sessions began."""
    torn: bool = False

    def falls(self) -> Ints:
        """The rows at which the training went back: their step lies below that of the row before.

        A step that comes twice in a row is none, for a script may write each player's cells apart;
        but it is where a session begins with it.
        """
        rows = np.flatnonzero(self.steps[1:] < self.steps[:-1]) + 1
        again = [row for row in self.sessions if 0 < row < len(self.steps)]
        again = [row for row in again if self.steps[row] == self.steps[row - 1]]
        return np.union1d(rows, again).astype(np.int64) if again else rows

    def kept(self) -> NDArray[np.bool_] | None:
        """`[n]`: row i stands if its step lies below that of each fall after it; None: all do."""
        falls = self.falls()
        if not len(falls):
            return None
        later = np.full(len(self.steps) + 1, _NEVER)
        later[falls] = self.steps[falls]
        smallest = np.minimum.accumulate(later[::-1])[::-1]
        kept: NDArray[np.bool_] = self.steps < smallest[1:]
        return kept

    def replaced(self) -> int:
        """How many rows are of trainings that a later one, from its first step on, supersedes."""
        falls = self.falls()
        anew = falls[self.steps[falls] <= self.steps[: falls[0]].min()] if len(falls) else falls
        return int(anew[-1]) if len(anew) else 0

    def rewinds(self) -> tuple[tuple[int, int], ...]:
        """(from, to) wherever the training went back."""
        found = []
        reached, position = -1, 0
        for row in self.falls().tolist():
            reached = max(reached, int(self.steps[position:row].max()))
            target = int(self.steps[row])
            found.append((reached, target))
            reached, position = target - 1, row
        return tuple(found)

    def table(self) -> Series:
        """The series; of equal steps the value that was written last stands."""
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
