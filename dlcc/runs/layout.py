"""Layout of a run folder: the one module that knows file names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dlcc.errors import RunError

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
    """

    path: Path

    @property
    def manifest(self) -> Path:
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
        return self.path / "series"

    @property
    def snapshots(self) -> Path:
        return self.path / "snapshots"

    @property
    def samples(self) -> Path:
        return self.path / "samples"

    @property
    def source(self) -> Path:
        return self.path / "source"

    @property
    def documents(self) -> Path:
        return self.path / "documents"

    @property
    def superseded(self) -> Path:
        """Folder of snapshots and samples that a rewound training left on the abandoned branch."""
        return self.path / "superseded"

    @property
    def reference_file(self) -> Path:
        """File of a part of the training data, for comparison with samples."""
        return self.samples / "reference.safetensors"

    def series_file(self, number: int) -> Path:
        return self.series / f"{number:03d}.series"

    def snapshot(self, step: int) -> SnapshotLayout:
        return SnapshotLayout(self.snapshots / f"{step:08d}")

    def samples_file(self, step: int) -> Path:
        return self.samples / f"{step:08d}.safetensors"

    def superseded_branch(self, number: int) -> RunLayout:
        """The layout of the `number`-th abandoned branch, of which only two folders exist."""
        return RunLayout(self.superseded / f"{number:03d}")

    def series_files(self) -> list[Path]:
        """The series files that exist, in the order in which they were made."""
        return sorted(
            (path for path in _entries(self.series) if _SERIES_NAME.fullmatch(path.name)),
            key=lambda path: int(path.stem),
        )

    def snapshot_steps(self) -> list[int]:
        """The steps that have a snapshot, ascending; the folder's listing and nothing more."""
        return sorted(
            step for path in _entries(self.snapshots) if (step := _numbered(path.name)) is not None
        )

    def step_of_samples(self, name: str) -> int | None:
        """The step of `samples/00000400.safetensors`, None for any other path in the run."""
        folder, _, file = name.rpartition("/")
        stem, _, kind = file.partition(".")
        return _numbered(stem) if (folder, kind) == (self.samples.name, "safetensors") else None

    def sample_steps(self) -> list[int]:
        """The steps that have samples, ascending; the folder's listing and nothing more."""
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
        return self.path / "snapshot.json"

    @property
    def players(self) -> Path:
        return self.path / "players.safetensors"

    @property
    def state(self) -> Path:
        return self.path / "state.safetensors"

    @property
    def probe(self) -> Path:
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
