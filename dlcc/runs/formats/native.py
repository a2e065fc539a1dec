"""The folders that `dlcc.Recorder` writes: docs/run-format.md."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlcc.errors import OptionError, SnapshotError
from dlcc.runs.digests import digest_of_files
from dlcc.runs.formats.format import Contents
from dlcc.runs.layout import RunLayout
from dlcc.runs.manifest import Manifest, read_manifest
from dlcc.runs.series import SeriesTable, read_series
from dlcc.runs.snapshots import Snapshot
from dlcc.runs.tensors import read_tensors
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
        return _only_tensor(self.layout.samples_file(step), "samples")

    def reference(self) -> np.ndarray | None:
        path = self.layout.reference_file
        return _only_tensor(path, "reference") if path.exists() else None

    def sources(self) -> Mapping[str, Path]:
        return files_under(self.layout.path, self.layout.source.name)

    def documents(self) -> Mapping[str, Path]:
        return files_under(self.layout.path, self.layout.documents.name)

    def samples_digest(self, steps: Sequence[int]) -> str:
        """That of the files: without decoding them."""
        files = [self.layout.samples_file(step) for step in steps]
        reference = self.layout.reference_file
        files += [reference] if reference.exists() else []
        return digest_of_files({f"{file.parent.name}/{file.name}": file for file in files})


def _only_tensor(path: Path, name: str) -> np.ndarray:
    tensors = read_tensors(path)
    if tensors.keys() != {name}:
        raise SnapshotError(
            f"{path}: expected the one tensor {name!r}, found {sorted(tensors)[:5]}"
        )
    return tensors[name]
