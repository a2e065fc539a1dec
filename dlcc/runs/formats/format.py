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
from dlcc.runs.sample_files import Reconstructions
from dlcc.runs.series import Series
from dlcc.runs.series_format import is_quantity
from dlcc.runs.snapshots import Snapshot

__all__ = ["Contents", "Format", "checked_mapping"]

STEP = "step"
"""Key of a mapping that names the column of steps."""


class Contents(ABC):
    """Content of a run folder, read when it is asked for; a format has at least series.

    Nothing above the formats knows where in the folder anything lies: each part comes from here,
    with a digest that changes when the part does.

    >>> from dlcc.runs.formats import open_path
    >>> run = open_path(Path("runs/digits-collapsed"), {})
    >>> run.check_there()  # raises nothing: all that was recorded is there
    >>> run.series(until=10).recorded, len(run.snapshots(until=1600)), run.sample_steps(until=100)
    (10, 6, [80])
    >>> run.samples(80).shape, run.reference().shape, run.samples_place(80)
    ((256, 64), (1797, 64), 'samples/00000080.safetensors')
    >>> [*run.sources()], [*run.documents()], run.sample_notes()
    (['source/train.py'], ['documents/method.md'], ())
    >>> digests = run.sources_digest(), run.documents_digest(), run.samples_digest([80])
    >>> len({*digests, run.snapshots_digest(run.snapshots(until=None))})
    4
    """

    manifest: Manifest
    part: str | None = None
    """Name of the run among several in its folder; None for the only one."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how the folder was read, for the user: what was left out, what assumed."""
        return ()

    @abstractmethod
    def series(self, until: int | None) -> Series:
        """Read every quantity.

        Args:
            until: Step before which rows are read (`step < until`); None for all rows.

        Returns:
            Series, with steps that ascend strictly.

        Raises:
            SeriesError: A series is damaged; the message names file and line or block.
        """

    def snapshots(self, until: int | None) -> list[Snapshot]:
        """Find the snapshots.

        Args:
            until: Last step of a snapshot; None for all.

        Returns:
            Handles, ascending in step; none where the format has no snapshots.

        Raises:
            SnapshotError: A recorded snapshot is gone.
        """
        return []

    def sample_steps(self, until: int | None) -> list[int]:
        """Find the sample steps: the steps before which samples were taken.

        Args:
            until: Last sample step; None for all.

        Returns:
            Steps, ascending; none where the format has no samples.
        """
        return []

    def reconstructions(self) -> Reconstructions | None:
        """Read what an autoencoder made of some rows of the data.

        Returns:
            Originals, reconstructions and latents; None where there are none.

        >>> from dlcc.runs import Run
        >>> Run.open("runs/digits-collapsed").contents.reconstructions() is None
        True
        """
        return None

    def samples(self, step: int) -> np.ndarray:
        """Read the samples of a sample step.

        Args:
            step: One of `sample_steps`.

        Returns:
            Samples [n, ...] taken before `step`, in the units and dtype of the recording.

        Raises:
            SnapshotError: There are none, or the file is damaged.
        """
        raise SnapshotError(f"samples of step {step}: the run's format holds none")

    def check_there(self) -> None:  # noqa: B027  # a format need not be able to tell
        """Check that nothing that was recorded is gone, as far as the format can tell.

        Raises:
            RunError: A file is gone; the message names it.
        """

    def reference(self) -> np.ndarray | None:
        """Read the rows of the training data that the folder holds.

        Returns:
            Rows [n, ...] in the units of the samples; None where there are none.

        Raises:
            SnapshotError: The file is damaged.
        """
        return None

    def sample_notes(self) -> tuple[str, ...]:
        """Sentences on how samples are read, for which some of them may be read.

        Returns:
            Sentences for the user; none where nothing was assumed.
        """
        return ()

    def samples_place(self, step: int | None) -> str:
        """Name the place of samples, for messages.

        Args:
            step: Sample step; None for the training data.

        Returns:
            Path in the run, or words where there is none.
        """
        return "the training data" if step is None else f"samples of step {step:,}"

    def sources(self) -> Mapping[str, Path]:
        """Find the files of code that came with the run.

        Returns:
            Path in the run, `source/...`, to the path on the disk; empty where there are none.

        Raises:
            RunError: A link leads out of the run, or a file is not what was recorded.
        """
        return {}

    def documents(self) -> Mapping[str, Path]:
        """Find the papers and notes beside the run.

        Returns:
            Path in the run, `documents/...`, to the path on the disk; empty where there are none.

        Raises:
            RunError: A link leads out of the run, or a file is not what was recorded.
        """
        return {}

    def snapshots_digest(self, snapshots: Sequence[Snapshot]) -> str:
        """Hash all that snapshots hold.

        Args:
            snapshots: Handles, as `snapshots` gives them.

        Returns:
            Hash of 32 hexadecimal digits.

        Raises:
            RunError: A file is gone or cannot be read.
        """
        return digest_of_files(
            {
                f"snapshots/{snapshot.step:08d}/{file.name}": file
                for snapshot in snapshots
                for file in snapshot.files()
            }
        )

    def samples_digest(self, steps: Sequence[int]) -> str:
        """Hash the samples of some steps, and the training data.

        Args:
            steps: Sample steps.

        Returns:
            Hash of 32 hexadecimal digits; what cannot be read is hashed as unreadable.
        """
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
        """Hash all files of code, those that are no text included: code may read them.

        Returns:
            Hash of 32 hexadecimal digits.

        Raises:
            RunError: A file is gone or cannot be read.
        """
        return digest_of_files(self.sources())

    def documents_digest(self) -> str:
        """Hash all documents.

        Returns:
            Hash of 32 hexadecimal digits.

        Raises:
            RunError: A file is gone or cannot be read.
        """
        return digest_of_files(self.documents())


class Format(Protocol):
    """Way in which a folder holds a run.

    >>> from dlcc.runs.formats.native import Native
    >>> ours: Format = Native()
    >>> ours.recognises(Path("runs/digits-collapsed")), ours.recognises(Path("docs"))
    (True, False)
    >>> ours.open(Path("runs/digits-collapsed"), mapping={}).manifest.length
    3200
    """

    looks_for: ClassVar[str]
    """Name of the file by which such a folder is recognised."""

    def recognises(self, path: Path) -> bool:
        """Whether the folder is one of this format, decided by names only.

        Args:
            path: Folder that may hold a run; nothing in it is opened.

        Returns:
            True where the folder has the files by which such folders are recognised.
        """

    def open(self, path: Path, mapping: Mapping[str, str]) -> Contents:
        """Open a folder; reads as little as it can.

        Args:
            path: Folder of the run.
            mapping: `player/quantity`, or `step`, to the name that the folder has for it.

        Returns:
            Content of the folder, whose parts are read when they are asked for.

        Raises:
            RunError: A file is damaged; the message says which, what was expected and what to do.
            OptionError: The format has no use for such a mapping.
        """


def checked_mapping(mapping: Mapping[str, str] | None) -> dict[str, str]:
    """Check that each name of a mapping can be one of a series.

    Args:
        mapping: `player/quantity`, or `step`, to the name that a folder has for it; None for none.

    Returns:
        Copy of the mapping.

    Raises:
        OptionError: A name cannot be one of a series, or names no column; the message repeats it.

    >>> checked_mapping({"discriminator/loss": "errD", "step": "iteration"})
    {'discriminator/loss': 'errD', 'step': 'iteration'}
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
