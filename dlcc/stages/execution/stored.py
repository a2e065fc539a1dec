"""What the run recorded, in the form that replays are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import SnapshotError
from dlcc.records import Series
from dlcc.runs import Snapshot
from dlcc.runs.files import read_regular
from dlcc.runs.layout import SnapshotLayout
from dlcc.runs.tensors import DEFAULT_MAX_BYTES, parse_tensors, read_tensors
from dlcc.stages.execution.compare import Tensors

# The recorder counts these itself; no training returns them.
_OF_THE_RECORDER = ("/updates", "/update_norm")


@dataclass(frozen=True)
class Stored:
    """A resumable snapshot, read whole and compared with its checksums."""

    step: int
    place: str
    """`snapshots/00001200`"""
    tree: Any
    """`{"state": ..., "random": ...}`, as `dlcc.runs.state` packs them."""
    data: bytes
    """state.safetensors"""
    weights: Tensors
    """players.safetensors"""
    probe: Tensors

    @property
    def state(self) -> Tensors:
        """The tensors of the training's state, `state/...`, without the random states."""
        tensors = parse_tensors(self.data, f"{self.place}/state.safetensors")
        return {name: array for name, array in tensors.items() if name.startswith("state/")}


def read_stored(snapshot: Snapshot) -> Stored:
    """Read a resumable snapshot.

    Raises:
        SnapshotError: a file is missing, damaged or not what it claims.
    """
    layout = SnapshotLayout(snapshot.path)
    manifest = snapshot.manifest
    entry = manifest.files.get(layout.state.name)
    if entry is None:
        raise SnapshotError(f"{layout.manifest}: lists no {layout.state.name}")
    read_tensors(layout.state, digest=entry.digest())
    return Stored(
        step=snapshot.step,
        place=f"{snapshot.path.parent.name}/{snapshot.path.name}",
        tree={"state": manifest.state, "random": manifest.random},
        data=read_regular(layout.state, DEFAULT_MAX_BYTES, SnapshotError),
        weights=snapshot.weights(),
        probe=snapshot.probe(),
    )


@dataclass(frozen=True)
class Rows:
    """The logged quantities as a table over all steps."""

    names: tuple[str, ...]
    """The k quantities that a training could return."""
    steps: NDArray[np.int64]
    """[n], ascending; every step at which one of them was logged."""
    values: NDArray[np.float64]
    """[n, k], NaN where not logged; see `present`."""
    present: NDArray[np.bool_]
    """[n, k]"""

    @classmethod
    def of(cls, series: Series) -> Rows:
        """The table of a run's series."""
        columns = {
            name: column
            for name, column in series.columns.items()
            if not name.endswith(_OF_THE_RECORDER)
        }
        every: Sequence[NDArray[np.int64]] = [c.steps for c in columns.values()]
        steps = np.unique(np.concatenate(every)) if every else np.zeros(0, np.int64)
        values = np.full((len(steps), len(columns)), np.nan)
        present = np.zeros(values.shape, np.bool_)
        for j, column in enumerate(columns.values()):
            at = np.searchsorted(steps, column.steps)
            values[at, j], present[at, j] = column.values, True
        return cls(tuple(columns), steps, values, present)

    def window(self, first: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Values and presence, [count, k], of the steps `first` to `first + count - 1`."""
        values = np.full((count, len(self.names)), np.nan)
        present = np.zeros(values.shape, np.bool_)
        low, high = np.searchsorted(self.steps, [first, first + count])
        at = self.steps[low:high] - first
        values[at], present[at] = self.values[low:high], self.present[low:high]
        return values, present

    def count_from(self, first: int) -> int:
        """How many steps from `first` on lie within the record."""
        return max(0, int(self.steps[-1]) + 1 - first) if len(self.steps) else 0
