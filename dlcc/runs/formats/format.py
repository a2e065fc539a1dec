"""Interface of a format: how it recognises a folder, and the parts that it reads from one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from dlcc.errors import OptionError, SnapshotError
from dlcc.runs.hashes import digest_of_arrays, digest_of_files
from dlcc.runs.manifest import Manifest
from dlcc.runs.series import Series
from dlcc.runs.series_format import is_quantity
from dlcc.runs.snapshots import Snapshot

STEP = "step"
"""Key of a mapping that names the column of steps."""


class Contents(ABC):
    """Content of a run folder, read when it is asked for; a format has at least series.

    Nothing above the formats knows where in the folder anything lies: each part comes from here,
    with a digest that changes when the part does.
    """

    manifest: Manifest

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how the folder was read, for the user: what was left out, what assumed."""
        return ()

    @abstractmethod
    def series(self, until: int | None) -> Series:
        """Every quantity, of rows with `step < until`."""

    def snapshots(self, until: int | None) -> list[Snapshot]:
        """Handles of the snapshots, ascending in step; those of at most step `until`."""
        return []

    def sample_steps(self, until: int | None) -> list[int]:
        """Sample steps, ascending, of at most `until`."""
        return []

    def samples(self, step: int) -> np.ndarray:
        """Samples `[n, ...]` taken before `step`."""
        raise SnapshotError(f"samples of step {step}: the run's format holds none")

    def check_there(self) -> None:  # noqa: B027  # a format need not be able to tell
        """Raise RunError where a file that was recorded is gone, if the format can tell."""

    def reference(self) -> np.ndarray | None:
        """Rows `[n, ...]` of the training data; None where there are none."""
        return None

    def samples_place(self, step: int | None) -> str:
        """Place of the samples of a step, or with None of the training data: a path in the run, or
        words."""
        return "the training data" if step is None else f"samples of step {step:,}"

    def sources(self) -> Mapping[str, Path]:
        """Files of code that came with the run, by their path `source/...`."""
        return {}

    def documents(self) -> Mapping[str, Path]:
        """Papers and notes beside the run, by their path `documents/...`."""
        return {}

    def snapshots_digest(self, snapshots: Sequence[Snapshot]) -> str:
        """Hash of all that these handles can read."""
        return digest_of_files(
            {
                f"snapshots/{snapshot.step:08d}/{file.name}": file
                for snapshot in snapshots
                for file in snapshot.files()
            }
        )

    def samples_digest(self, steps: Sequence[int]) -> str:
        """Hash of the samples of these steps and of the reference; unreadable ones are hashed as
        unreadable."""
        arrays = []
        for step in (*steps, None):
            try:
                rows = self.reference() if step is None else self.samples(step)
            except SnapshotError:
                rows = np.zeros(0, dtype=np.bool_)
            if rows is not None:
                arrays.append((str(step), rows))
        return digest_of_arrays(arrays)

    def sources_digest(self) -> str:
        """Hash of all files of code, those that are no text included: code may read them."""
        return digest_of_files(self.sources())

    def documents_digest(self) -> str:
        """Hash of all documents."""
        return digest_of_files(self.documents())


class Format(Protocol):
    """Way in which a folder holds a run."""

    looks_for: ClassVar[str]
    """Name of the file by which such a folder is recognised."""

    def recognises(self, path: Path) -> bool:
        """Whether the folder is one of this format, decided by names only."""

    def open(self, path: Path, mapping: Mapping[str, str]) -> Contents:
        """Open a folder; reads as little as it can.

        Args:
            path: Folder of the run.
            mapping: `player/quantity`, or `step`, to the name that the folder has for it.

        Raises:
            RunError: A file is damaged; the message says which, what was expected and what to do.
            OptionError: The format has no use for such a mapping.
        """


def checked_mapping(mapping: Mapping[str, str] | None) -> dict[str, str]:
    """Check that each name of a mapping can be one of a series.

    Raises:
        OptionError: A name cannot; the message repeats it.
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
