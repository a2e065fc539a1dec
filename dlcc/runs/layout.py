"""Layout of a run folder: the one module that knows file names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dlcc.errors import RunError

TRAINING_DATA = "training-data.safetensors"
"""Name of the file of training data beside the code that loads them."""
_SERIES_NAME = re.compile(r"\d{3,}\.series")


def _numbered(name: str) -> int | None:
    """Step in a canonical name such as `00000400`, None for any other name."""
    if not (name.isascii() and name.isdigit()) or name != f"{int(name):08d}":
        return None
    return int(name)


@dataclass(frozen=True)
class RunLayout:
    """Paths of one run folder.

    Names that begin with a dot are being written, or were when a process was killed; no reader
    looks at them.

    >>> layout = RunLayout(Path("runs/digits-collapsed"))
    >>> layout.snapshot(320).players.name, layout.snapshot_steps()[:3]
    ('players.safetensors', [0, 320, 640])
    >>> layout.samples_file(80).name, layout.sample_steps()[:3]
    ('00000080.safetensors', [80, 160, 240])
    >>> layout.series_file(0) in layout.series_files()
    True
    >>> layout.superseded_branch(1).samples.as_posix()
    'runs/digits-collapsed/superseded/001/samples'
    >>> layout.step_of_samples("samples/00000080.safetensors")
    80
    """

    path: Path

    @property
    def manifest(self) -> Path:
        """File run.json."""
        return self.path / "run.json"

    @property
    def digests(self) -> Path:
        """File with the checksums of every file that is written once."""
        return self.path / "digests.txt"

    @property
    def lock(self) -> Path:
        """File that the recording process holds with flock(2); its content means nothing."""
        return self.path / ".lock"

    @property
    def series(self) -> Path:
        """Folder of series files."""
        return self.path / "series"

    @property
    def snapshots(self) -> Path:
        """Folder of snapshots, a folder each."""
        return self.path / "snapshots"

    @property
    def samples(self) -> Path:
        """Folder of sample files."""
        return self.path / "samples"

    @property
    def source(self) -> Path:
        """Folder of the code that came with the run."""
        return self.path / "source"

    @property
    def training_data(self) -> Path:
        """File of the training data that the code loaded, beside the code."""
        return self.source / TRAINING_DATA

    @property
    def documents(self) -> Path:
        """Folder of papers and notes."""
        return self.path / "documents"

    @property
    def superseded(self) -> Path:
        """Folder of snapshots and samples that a rewound training left on the abandoned branch."""
        return self.path / "superseded"

    @property
    def reference_file(self) -> Path:
        """File of a part of the training data, for comparison with samples."""
        return self.samples / "reference.safetensors"

    @property
    def reconstructions_file(self) -> Path:
        """File of training data, what the model made of them, and their latents."""
        return self.samples / "reconstructions.safetensors"

    def series_file(self, number: int) -> Path:
        """Path of a series file, whether it exists or not.

        Args:
            number: Number of the file, counted from 0 in the order in which files are made.

        Returns:
            Path such as `series/000.series`.
        """
        return self.series / f"{number:03d}.series"

    def snapshot(self, step: int) -> SnapshotLayout:
        """Paths of a snapshot, whether it exists or not.

        Args:
            step: Step of the snapshot; its state is the one before this step.

        Returns:
            Layout of the folder, such as `snapshots/00000320`.
        """
        return SnapshotLayout(self.snapshots / f"{step:08d}")

    def samples_file(self, step: int) -> Path:
        """Path of a file of samples, whether it exists or not.

        Args:
            step: Sample step; the samples were taken before this step.

        Returns:
            Path such as `samples/00000080.safetensors`.
        """
        return self.samples / f"{step:08d}.safetensors"

    def superseded_branch(self, number: int) -> RunLayout:
        """Layout of an abandoned branch, of which only snapshots and samples exist.

        Args:
            number: Number of the branch, counted from 0 in the order of the rewinds.

        Returns:
            Layout of the branch's folder, such as `superseded/000`.
        """
        return RunLayout(self.superseded / f"{number:03d}")

    def series_files(self) -> list[Path]:
        """Find the series files.

        Returns:
            Paths of the files that exist, in the order in which they were made.

        Raises:
            RunError: The folder, or an entry of it, is a link.
        """
        return sorted(
            (path for path in _entries(self.series) if _SERIES_NAME.fullmatch(path.name)),
            key=lambda path: int(path.stem),
        )

    def snapshot_steps(self) -> list[int]:
        """Find the steps that have a snapshot, by the folder's listing and nothing more.

        Returns:
            Steps, ascending.

        Raises:
            RunError: The folder, or an entry of it, is a link.
        """
        return sorted(
            step for path in _entries(self.snapshots) if (step := _numbered(path.name)) is not None
        )

    def step_of_samples(self, name: str) -> int | None:
        """Read the step from the name of a file of samples.

        Args:
            name: Path in the run, such as `samples/00000080.safetensors`.

        Returns:
            Step of the file; None for any other path in the run.
        """
        folder, _, file = name.rpartition("/")
        stem, _, kind = file.partition(".")
        return _numbered(stem) if (folder, kind) == (self.samples.name, "safetensors") else None

    def sample_steps(self) -> list[int]:
        """Find the steps that have samples, by the folder's listing and nothing more.

        Returns:
            Steps, ascending.

        Raises:
            RunError: The folder, or an entry of it, is a link.
        """
        return sorted(
            step
            for path in _entries(self.samples)
            if path.suffix == ".safetensors" and (step := _numbered(path.stem)) is not None
        )


@dataclass(frozen=True)
class SnapshotLayout:
    """Paths of one snapshot folder."""

    path: Path

    @property
    def manifest(self) -> Path:
        """File snapshot.json."""
        return self.path / "snapshot.json"

    @property
    def players(self) -> Path:
        """File of the players' weights and buffers."""
        return self.path / "players.safetensors"

    @property
    def state(self) -> Path:
        """File of the tensors of the training's state; only resumable snapshots have it."""
        return self.path / "state.safetensors"

    @property
    def probe(self) -> Path:
        """File of losses and outputs on the batch of the step, where they were measured."""
        return self.path / "probe.safetensors"

    @property
    def landscape(self) -> Path:
        """File of landscape measures, written after the snapshot and not listed in its manifest."""
        return self.path / "landscape.json"


def beside(path: Path) -> Path:
    """Name under which `path` is written before it is renamed into place."""
    return path.with_name(f".{path.name}.writing")


def is_beside(path: Path) -> bool:
    """Whether a name is one of `beside`: a leftover, if nobody is writing it."""
    return path.name.startswith(".") and path.name.endswith(".writing")


def _entries(folder: Path) -> list[Path]:
    """Entries of a folder, none where there is no such folder; links are refused."""
    try:
        entries = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    for path in (folder, *entries):
        if path.is_symlink():
            raise RunError(f"{path}: a link; replace it with a copy of what it leads to")
    return entries
