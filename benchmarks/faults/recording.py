"""What a training of the bench leaves: series of every step, and the truth of its samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Floats = NDArray[np.float64]


@dataclass
class Recording:
    """Recording of one training."""

    recipe: str
    objective: str
    data: str
    length: int
    columns: dict[str, list[float]] = field(default_factory=dict)
    """Values of each step; NaN where one was not computed."""
    truth_steps: list[int] = field(default_factory=list)
    truth: list[float] = field(default_factory=list)
    """Distance of samples from the data at these steps."""
    onset: int | None = None
    """Step from which the fault acts; None where it does from the first."""
    settings: dict[str, object] = field(default_factory=dict)
    seconds: float = 0.0

    def column(self, name: str) -> Floats:
        """Values [length] of a column."""
        return np.array(self.columns[name], dtype=np.float64)

    def write(self, path: Path) -> None:
        """Write a file `path`.npz."""
        about = asdict(self)
        del about["columns"]
        arrays = {name: np.array(values) for name, values in self.columns.items()}
        beside = path.with_suffix(".part.npz")
        np.savez_compressed(beside, about=np.array(json.dumps(about)), **arrays)
        beside.replace(path)


def read(path: Path) -> Recording:
    """Read a recording."""
    with np.load(path) as stored:
        about = json.loads(str(stored["about"]))
        columns = {name: stored[name].tolist() for name in stored.files if name != "about"}
    return Recording(**about, columns=columns)


def share_out(recordings: Sequence[Recording], row: Mapping[str, Tensor | float]) -> None:
    """Append a step's values [members] to the recording of each member."""
    lists = {
        name: value.expand(len(recordings)).tolist()
        if isinstance(value, Tensor)
        else [value] * len(recordings)
        for name, value in row.items()
    }
    for at, recording in enumerate(recordings):
        for name, values in lists.items():
            recording.columns.setdefault(name, []).append(values[at])


def last(values: Sequence[float], count: int = 3) -> float:
    """Median of the last values."""
    return float(np.median(np.asarray(values[-count:], dtype=np.float64)))
