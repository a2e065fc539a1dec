"""Coverage of the recorded quantities by replays: compared, withheld, or not reached."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.findings import Finding
from dlcc.stages.execution.replays import Walk
from dlcc.stages.execution.rows import LoggedRows

_NAMED = 4


@dataclass
class Coverage:
    """Counts of numbers by quantity, over the steps that were replayed."""

    rows: LoggedRows

    def __post_init__(self) -> None:
        self.asked: NDArray[np.int64] = np.zeros(len(self.rows.names), np.int64)
        """Counts [k] of numbers that were recorded at replayed steps and can be computed there."""
        self.compared: NDArray[np.int64] = np.zeros_like(self.asked)
        """Counts [k] of numbers that were recorded at replayed steps and were compared."""

    def add(self, walk: Walk, decided: bool) -> None:
        """Count a walk, whose comparison may have decided nothing."""
        self.asked += walk.asked.sum(axis=0)
        if decided:
            self.compared += walk.compared.sum(axis=0)

    @property
    def uncompared(self) -> dict[str, float]:
        """Quantity that no replay compared -> its share of all recorded numbers."""
        return self._shares([j for j, n in enumerate(self.compared) if n == 0])

    def _shares(self, columns: Sequence[int]) -> dict[str, float]:
        counts = self.rows.present.sum(axis=0)
        return {self.rows.names[j]: float(counts[j] / counts.sum()) for j in columns if counts[j]}

    def findings(self, excused: Collection[str], file: str, whole: bool) -> list[Finding]:
        """Make EXE009 for quantities that were withheld, and for those that no replayed step has.

        Args:
            excused: Quantities that no training returns, and that are compared with each other.
            file: File of the training's entry point.
            whole: Whether all planned replays were made; else other findings say what was missed.
        """
        found = []
        gaps = self.asked - self.compared
        kept = [name not in excused for name in self.rows.names]
        withheld = [int(j) for j in np.flatnonzero(gaps) if kept[j]]
        if withheld:
            worst = max(withheld, key=lambda j: gaps[j] / self.asked[j])
            found.append(
                self._finding(
                    withheld,
                    f"replays were not given {self._listed(withheld)} at {gaps[worst]:,} of "
                    f"{self.asked[worst]:,} steps at which it was recorded",
                    file,
                )
            )
        missed = [int(j) for j in np.flatnonzero(self.asked == 0) if kept[j]]
        if missed and whole:
            message = f"no replayed step has a value of {self._listed(missed)}"
            found.append(self._finding(missed, message, "series"))
        return found

    def _finding(self, columns: Sequence[int], message: str, place: str) -> Finding:
        shares = self._shares(columns)
        players = {name.partition("/")[0] for name in shares}
        return Finding(
            "EXE009",
            f"{message}: {100 * sum(shares.values()):.2g} % of all recorded values",
            player=players.pop() if len(players) == 1 else None,
            place=place,
            evidence={name: round(share, 6) for name, share in shares.items()},
        )

    def _listed(self, columns: Sequence[int]) -> str:
        names = [self.rows.names[j] for j in columns]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return ", ".join(names[:_NAMED]) + more
