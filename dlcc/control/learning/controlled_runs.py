"""Controlled runs as arrays: what was seen, what was changed at random, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcc.control.adjustable import bounds_of, usual_bounds
from dlcc.control.learning.moves import MOVE_FIGURES, MOVES, change_figures, changes_of_moves
from dlcc.control.learning.situation import DECISIONS, SITUATION_FIGURES, WINDOWS, Situation
from dlcc.records import LABELS
from dlcc.typing import Bools, Floats

FIELDS = ("lr_g", "lr_d", "r1", "g_every", "d_every")
"""Settings that moves change."""
HEALTHY = LABELS.index("healthy")


@dataclass(frozen=True)
class ControlledRuns:
    """Controlled runs, n of them with d decisions each and w windows."""

    configs: NDArray[np.str_]
    """Configuration of each run as it was set, as JSON, [n]."""
    windows: NDArray[np.float32]
    """Figures `WINDOW_FEATURES` of every window, [n, w, 11]."""
    settings: Floats
    """`FIELDS` before the first decision and after each, [n, d + 1, 5]."""
    moves: NDArray[np.int64]
    """Move of each decision, as an index into `MOVES`, [n, d]."""
    probabilities: Floats
    """Probability with which that move was drawn, [n, d]."""
    good: Floats
    """Share of good sample steps in the last quarter, [n]."""
    labels: NDArray[np.int64]
    """Label of each run as an index into `LABELS`, [n]."""

    def __len__(self) -> int:
        return len(self.labels)

    def save(self, path: Path) -> None:
        """Write the runs to an .npz file."""
        np.savez_compressed(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def read(cls, path: Path) -> ControlledRuns:
        """Read the runs of an .npz file."""
        with np.load(path, allow_pickle=False) as table:
            return cls(**{f.name: table[f.name] for f in fields(cls)})

    @classmethod
    def joined(cls, parts: Sequence[ControlledRuns]) -> ControlledRuns:
        """Join runs of several groups."""
        return cls(**{
            f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)
        })  # fmt: skip

    @cached_property
    def ended_well(self) -> Bools:
        """Whether each run ended healthy, [n]."""
        return np.asarray(self.labels == HEALTHY)

    @cached_property
    def situations(self) -> Floats:
        """Figures `SITUATION_FIGURES` of every run at every decision, [n, d, k]."""
        found = np.empty((len(self), len(DECISIONS), len(SITUATION_FIGURES)))
        for i, text in enumerate(self.configs):
            config = json.loads(str(text))
            first = self._settings(i, 0)
            for k, share in enumerate(DECISIONS):
                seen = self.windows[i, : round(share * WINDOWS)].astype(np.float64)
                found[i, k] = Situation(share, seen, config, first, self._settings(i, k)).figures()
        return found

    @cached_property
    def changes(self) -> Floats:
        """Figures `MOVE_FIGURES` of what was changed at every decision, [n, d, 6]."""
        found = np.empty((len(self), len(DECISIONS), len(MOVE_FIGURES)))
        for i in range(len(self)):
            for k in range(len(DECISIONS)):
                anew = MOVES[self.moves[i, k]].anew
                before, after = self._settings(i, k), self._settings(i, k + 1)
                found[i, k] = change_figures(before, after, anew=anew)
        return found

    def _settings(self, run: int, decision: int) -> dict[str, float]:
        """Settings of a run before a decision."""
        return dict(zip(FIELDS, self.settings[run, decision].tolist(), strict=True))

    @cached_property
    def possible_changes(self) -> Floats:
        """Figures `MOVE_FIGURES` of what each move would change, within usual bounds,
        [n, d, moves, 6]."""
        found = np.empty((len(self), len(DECISIONS), len(MOVES), len(MOVE_FIGURES)))
        for i, text in enumerate(self.configs):
            first = self._settings(i, 0)
            bounds, optimizer = bounds_of(first, usual_bounds(first)), json.loads(text)["optimizer"]
            for k in range(len(DECISIONS)):
                found[i, k] = changes_of_moves(self._settings(i, k), bounds, optimizer)
        return found
