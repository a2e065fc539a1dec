"""Every part of a run comes from its format, with a digest: nothing above knows where files lie."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from dlcc.records import Documents, Samples, Snapshots, Sources
from dlcc.runs import Run
from dlcc.runs.formats.format import Contents
from dlcc.runs.manifest import Manifest
from dlcc.runs.series import Series


@dataclass(frozen=True)
class Tables(Contents):
    """Folder in which samples are .npy files of other names than ours, and code lies elsewhere."""

    path: Path
    manifest: Manifest

    def series(self, until: int | None) -> Series:
        return Series()

    def sample_steps(self, until: int | None) -> list[int]:
        steps = sorted(int(p.stem.partition("-")[2]) for p in self.path.glob("fakes-*.npy"))
        return [step for step in steps if until is None or step <= until]

    def samples(self, step: int) -> np.ndarray:
        return np.load(self.path / f"fakes-{step}.npy")

    def reference(self) -> np.ndarray | None:
        return np.load(self.path / "real.npy")

    def sources(self) -> dict[str, Path]:
        return {"source/main.py": self.path / "main.py"}

    def documents(self) -> dict[str, Path]:
        return {"documents/notes.md": self.path / "notes.md"}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose parts are those of the format `Tables`."""
    rng = np.random.default_rng(0)
    for name in ("fakes-10", "fakes-20", "real"):
        np.save(tmp_path / f"{name}.npy", rng.normal(size=(30, 2)))
    (tmp_path / "main.py").write_text("lr = 1\n")
    (tmp_path / "notes.md").write_text("# Notes\n")
    return Run(tmp_path, Tables(tmp_path, Manifest(name="tables")))


def test_parts_of_another_format_are_read_and_have_digests(run: Run) -> None:
    samples, sources, documents = Samples.of(run, 15), Sources.of(run, 15), Documents.of(run, 15)
    assert samples is not None
    assert samples.steps == (10,)
    assert samples.comparable(10)
    assert sources is not None
    assert dict(sources.files) == {"source/main.py": "lr = 1\n"}
    assert sources.paths["source/main.py"] == run.path / "main.py"
    assert documents is not None
    assert Snapshots.of(run, None) is None


def test_a_digest_changes_with_its_part_alone(run: Run) -> None:
    def digests() -> dict[str, str]:
        parts = {kind.__name__: kind.of(run, None) for kind in (Samples, Sources, Documents)}
        return {name: part.digest() for name, part in parts.items() if part is not None}

    before = digests()
    changes = {
        "Samples": lambda: np.save(run.path / "real.npy", np.zeros((30, 2))),
        "Sources": lambda: (run.path / "main.py").write_text("lr = 2\n"),
        "Documents": lambda: (run.path / "notes.md").write_text("# Other\n"),
    }
    for changed, change in changes.items():
        change()
        after = digests()
        assert {name for name in before if before[name] != after[name]} == {changed}
        before = after


def test_a_moved_folder_has_the_same_digests(run: Run, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(run.path, moved, ignore=shutil.ignore_patterns("moved"))
    other = replace(run, path=moved, contents=Tables(moved, run.manifest))
    for kind in (Samples, Sources, Documents):
        here, there = kind.of(run, None), kind.of(other, None)
        assert here is not None
        assert there is not None
        assert here.digest() == there.digest()


def test_the_files_of_a_recorded_run_are_hashed_without_decoding_them(small_run: Path) -> None:
    run = Run.open(small_run)
    samples, snapshots = Samples.of(run, None), Snapshots.of(run, None)
    assert samples is not None
    assert snapshots is not None
    before = samples.digest(), snapshots.digest()
    path = run.layout.samples_file(samples.steps[0])
    path.write_bytes(path.read_bytes()[:-1])  # no reader would take it
    assert samples.digest() != before[0]
    assert snapshots.digest() == before[1]
