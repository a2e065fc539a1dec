"""Sessions: the unbroken stretches of a record, and the one that is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcc.typing import Ints

LONG_ENOUGH = 12
"""Rows that the last session must have to be judged in place of a longer one before it."""
_NEAR_THE_START = 0.1  # share of the steps reached: a fall to there is a training begun anew


@dataclass(frozen=True)
class Session:
    """Unbroken stretch of a training within a record, rewinds included."""

    first: int
    """First row."""
    end: int
    """Row after the last."""
    first_step: int
    last_step: int
    judged: bool = False

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.end - self.first


def split_sessions(steps: Ints, begun: tuple[int, ...] = ()) -> tuple[Session, ...]:
    """Split rows into sessions where the steps begin anew.

    A fall of the steps to a value in the middle is a rewind, of the same session.

    Args:
        steps: Step [rows] of each row, in the order of writing.
        begun: Rows at which the format says that a recording began; a session only where the steps
            begin anew there.

    Returns:
        Sessions in order; one of them is judged: the last that is long enough.

    >>> steps = np.array([0, 1, 2, 3, *range(20)])
    >>> [(s.first, s.end, s.judged) for s in split_sessions(steps)]
    [(0, 4, False), (4, 24, True)]
    """
    if not len(steps):
        return ()
    starts = [0]
    lowest, reached = int(steps[0]), int(steps[0])
    falls = np.flatnonzero(np.diff(steps) < 0) + 1
    again = [row for row in begun if 0 < row < len(steps) and steps[row] <= steps[row - 1]]
    stride = _stride(steps)
    for row in sorted({*falls.tolist(), *again}):
        reached = max(reached, int(steps[starts[-1] : row].max()))
        target = int(steps[row])
        near = lowest + max(_NEAR_THE_START * (reached - lowest), stride)
        if target <= near and reached - target > stride and _goes_on(steps, row, target):
            starts.append(row)
            lowest, reached = target, target
    ends = [*starts[1:], len(steps)]
    bounds = list(zip(starts, ends, strict=True))
    chosen = _judged([end - start for start, end in bounds])
    return tuple(
        Session(start, end, int(steps[start]), int(steps[start:end].max()), at == chosen)
        for at, (start, end) in enumerate(bounds)
    )


def _stride(steps: Ints) -> float:
    rises = np.diff(steps)
    rises = rises[rises > 0]
    return float(np.median(rises)) if len(rises) else 1.0


def _goes_on(steps: Ints, row: int, target: int) -> bool:
    """Whether the rows after a fall go on from there, rather than back to where they were."""
    after = steps[row + 1 : row + 4]
    before = int(steps[row - 1])
    return not len(after) or bool(
        after[0] < before or abs(int(after[0]) - target) < before - target
    )


def _judged(rows: list[int]) -> int:
    """Index of the last session that is long enough; of the longest where none is."""
    longest = max(rows)
    enough = [at for at, n in enumerate(rows) if n >= min(LONG_ENOUGH, longest)]
    return enough[-1]
