"""Format of the folders that `dlcc.Recorder` writes: docs/run-format.md."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlcc.errors import OptionError, SeriesError, SnapshotError
from dlcc.runs.digests import Digests
from dlcc.runs.formats.format import Contents
from dlcc.runs.hashes import digest_of_files
from dlcc.runs.layout import RunLayout
from dlcc.runs.manifest import Manifest, read_manifest
from dlcc.runs.sample_files import Reconstructions, read_reconstructions, read_rows
from dlcc.runs.series import Series
from dlcc.runs.series_reader import read_series
from dlcc.runs.snapshots import Snapshot
from dlcc.runs.tree import files_under


@dataclass(frozen=True)
class Native:
    """Format of a folder with run.json; whatever else lies in it, it is ours."""

    looks_for: ClassVar = "run.json"

    def recognises(self, path: Path) -> bool:
        return os.path.lexists(RunLayout(path).manifest)

    def open(self, path: Path, mapping: Mapping[str, str]) -> RecordedFolder:
        if mapping:
            given = " ".join(f"--map {name}={column}" for name, column in mapping.items())
            raise OptionError(
                f"{given}: {path} holds run.json, and its series have their names already; "
                "leave --map out"
            )
        layout = RunLayout(path)
        digests = Digests(layout)
        digests.check(layout.manifest)
        return RecordedFolder(layout, read_manifest(layout.manifest), digests)


@dataclass(frozen=True)
class RecordedFolder(Contents):
    """Content of a folder that a recorder wrote."""

    layout: RunLayout
    manifest: Manifest
    digests: Digests

    @property
    def notes(self) -> tuple[str, ...]:
        if not self.digests.there:
            return (
                f"{self.layout.path}: has no {self.layout.digests.name}, so a changed or missing "
                "file without a checksum of its own goes unnoticed",
            )
        unknown = self.digests.not_listed(self._files())
        if not unknown:
            return ()
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        return (
            f"{self.layout.digests}: does not list {', '.join(unknown[:3])}{more}, so nothing "
            "tells whether they were changed",
        )

    def series(self, until: int | None) -> Series:
        self.digests.check_there(self.layout.series, kind=SeriesError)
        for path in self.layout.series_files():
            self.digests.check(path, SeriesError)
        return read_series(self.layout, until)

    def snapshots(self, until: int | None) -> list[Snapshot]:
        self.digests.check_there(self.layout.snapshots, kind=SnapshotError)
        return [
            Snapshot(self.layout.snapshot(step).path, step, self.digests)
            for step in self.layout.snapshot_steps()
            if until is None or step <= until
        ]

    def sample_steps(self, until: int | None) -> list[int]:
        gone = (self.layout.step_of_samples(name) for name in self.digests.listed())
        steps = {*self.layout.sample_steps(), *(step for step in gone if step is not None)}
        return sorted(step for step in steps if until is None or step <= until)

    def samples(self, step: int) -> np.ndarray:
        path = self.layout.samples_file(step)
        self.digests.check(path, SnapshotError)
        return read_rows(path, "samples")

    def check_there(self) -> None:
        layout = self.layout  # samples that are gone are left out where they are read
        self.digests.check_there(layout.series, layout.snapshots, layout.source, layout.documents)

    def _files(self) -> Iterator[Path]:
        """Iterate over the files that a recorder lists, as far as they are there."""
        yield self.layout.manifest
        yield from self.layout.series_files()
        for step in self.layout.snapshot_steps():
            snapshot = self.layout.snapshot(step)
            yield from (p for p in (snapshot.manifest, snapshot.landscape) if p.exists())
        yield from (self.layout.samples_file(step) for step in self.layout.sample_steps())
        if self.layout.reference_file.exists():
            yield self.layout.reference_file
        if self.layout.reconstructions_file.exists():
            yield self.layout.reconstructions_file
        for folder in (self.layout.source, self.layout.documents):
            yield from (p for p in sorted(folder.rglob("*")) if p.is_file() and not _is_aside(p))

    def reference(self) -> np.ndarray | None:
        path = self.layout.reference_file
        self.digests.check(path, SnapshotError)
        return read_rows(path, "reference") if path.exists() else None

    def reconstructions(self) -> Reconstructions | None:
        path = self.layout.reconstructions_file
        self.digests.check(path, SnapshotError)
        return read_reconstructions(path) if path.exists() else None

    def sources(self) -> Mapping[str, Path]:
        return self._checked(files_under(self.layout.path, self.layout.source.name))

    def documents(self) -> Mapping[str, Path]:
        return self._checked(files_under(self.layout.path, self.layout.documents.name))

    def _checked(self, files: Mapping[str, Path]) -> Mapping[str, Path]:
        for path in files.values():
            self.digests.check(path)
        return files

    def samples_place(self, step: int | None) -> str:
        return self._named(self._samples_file(step))

    def samples_digest(self, steps: Sequence[int]) -> str:
        """Hash of the sample files; they are not decoded for it."""
        files = [self._samples_file(step) for step in (*steps, None)]
        return digest_of_files({self._named(file): file for file in files if file.is_file()})

    def _samples_file(self, step: int | None) -> Path:
        return self.layout.reference_file if step is None else self.layout.samples_file(step)

    def _named(self, file: Path) -> str:
        return file.relative_to(self.layout.path).as_posix()


def _is_aside(path: Path) -> bool:
    """Whether a file is not part of the run: its name begins with a dot, or it is in Python's
    cache."""
    return path.name.startswith(".") or path.parent.name == "__pycache__"
