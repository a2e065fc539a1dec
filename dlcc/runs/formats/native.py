"""The folders that `dlcc.Recorder` writes: docs/run-format.md."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlcc.errors import OptionError
from dlcc.runs.digests import digest_of_files
from dlcc.runs.formats.format import Contents
from dlcc.runs.layout import RunLayout
from dlcc.runs.manifest import Manifest, read_manifest
from dlcc.runs.sample_files import read_rows
from dlcc.runs.series import SeriesTable, read_series
from dlcc.runs.snapshots import Snapshot
from dlcc.runs.tree import files_under


@dataclass(frozen=True)
class Native:
    """A folder with run.json; whatever else lies in it, it is ours."""

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
        return RecordedFolder(layout, read_manifest(layout.manifest))


@dataclass(frozen=True)
class RecordedFolder(Contents):
    """What a recorder left behind."""

    layout: RunLayout
    manifest: Manifest

    def series(self, until: int | None) -> SeriesTable:
        return read_series(self.layout, until)

    def snapshots(self, until: int | None) -> list[Snapshot]:
        return [
            Snapshot(self.layout.snapshot(step).path, step)
            for step in self.layout.snapshot_steps()
            if until is None or step <= until
        ]

    def sample_steps(self, until: int | None) -> list[int]:
        return [step for step in self.layout.sample_steps() if until is None or step <= until]

    def samples(self, step: int) -> np.ndarray:
        return read_rows(self.layout.samples_file(step), "samples")

    def reference(self) -> np.ndarray | None:
        path = self.layout.reference_file
        return read_rows(path, "reference") if path.exists() else None

    def sources(self) -> Mapping[str, Path]:
        return files_under(self.layout.path, self.layout.source.name)

    def documents(self) -> Mapping[str, Path]:
        return files_under(self.layout.path, self.layout.documents.name)

    def samples_place(self, step: int | None) -> str:
        return self._named(self._samples_file(step))

    def samples_digest(self, steps: Sequence[int]) -> str:
        """That of the files: without decoding them."""
        files = [self._samples_file(step) for step in (*steps, None)]
        return digest_of_files({self._named(file): file for file in files if file.is_file()})

    def _samples_file(self, step: int | None) -> Path:
        return self.layout.reference_file if step is None else self.layout.samples_file(step)

    def _named(self, file: Path) -> str:
        return file.relative_to(self.layout.path).as_posix()
