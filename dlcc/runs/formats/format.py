"""What a format is, and what it makes of a folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from dlcc.errors import OptionError, SnapshotError
from dlcc.runs.manifest import Manifest
from dlcc.runs.series import SeriesTable
from dlcc.runs.series_format import is_quantity
from dlcc.runs.snapshots import Snapshot

STEP = "step"
"""The name under which a mapping gives the column of steps."""


class Contents(ABC):
    """What a run folder holds, read when it is asked for; a format has at least series."""

    manifest: Manifest

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how the folder was read, for the user: what was left out, what assumed."""
        return ()

    @abstractmethod
    def series(self, until: int | None) -> SeriesTable:
        """Every quantity, rows with `step < until`."""

    def snapshots(self, until: int | None) -> list[Snapshot]:
        """Handles of the snapshots, ascending in step; at most of step `until`."""
        return []

    def sample_steps(self, until: int | None) -> list[int]:
        """The steps before which samples were taken, ascending, at most `until`."""
        return []

    def samples(self, step: int) -> np.ndarray:
        """Samples `[n, ...]` taken before `step`."""
        raise SnapshotError(f"samples of step {step}: the run's format holds none")

    def check_files(self, paths: Iterable[Path]) -> None:
        """Raise RunError where one is not what was recorded, if the format can tell."""

    def check_there(self) -> None:
        """Raise RunError where a file that was recorded is gone, if the format can tell."""

    def reference(self) -> np.ndarray | None:
        """Rows `[n, ...]` of the training data; None where there are none."""
        return None


class Format(Protocol):
    """One way in which a folder holds a run."""

    looks_for: ClassVar[str]
    """The file by which such a folder is known."""

    def recognises(self, path: Path) -> bool:
        """Whether the folder is one of this format; looks at names only."""

    def open(self, path: Path, mapping: Mapping[str, str]) -> Contents:
        """What the folder holds; reads as little as it can.

        Args:
            path: the folder.
            mapping: `player/quantity`, or `step`, to what the format calls it.

        Raises:
            RunError: naming the file, what was expected and what to do.
        """


def checked_mapping(mapping: Mapping[str, str] | None) -> dict[str, str]:
    """The mapping, if each name can be one of a series.

    Raises:
        OptionError: repeating what was given.
    """
    checked = dict(mapping or {})
    for name, column in checked.items():
        if name != STEP and not is_quantity(name):
            raise OptionError(
                f"--map {name}={column}: expected player/quantity=COLUMN such as "
                "discriminator/loss=errD, or step=COLUMN"
            )
        if not isinstance(column, str) or not column.strip():
            raise OptionError(f"--map {name}={column}: names no column; write {name}=COLUMN")
    return checked
