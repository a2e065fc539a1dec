"""Files of absurd size are refused in one sentence, before memory is taken for them."""

from __future__ import annotations

import os
import resource
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from dlcc import evaluate
from dlcc.errors import OptionError, RunError, SeriesError, SnapshotError
from dlcc.runs import Recorder, Run
from dlcc.runs.tensors import write_tensors
from tests.conftest import unlisted

GIB = 2**30


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a small run with a series, a snapshot, samples and a reference."""
    with Recorder(tmp_path / "run", reference=np.ones((3, 2))) as rec:
        rec.snapshot(0, samples=np.ones((3, 2)))
        for step in range(30):
            rec.log(step, {"p/loss": 1.0})
    return unlisted(tmp_path / "run")


def test_a_series_file_of_30_gb(run: Path) -> None:
    os.truncate(run / "series" / "000.series", 30 * GIB)
    tracemalloc.start()
    with pytest.raises(SeriesError, match=r"32,212,254,720 bytes, expected at most 2,147,483,648"):
        Run.open(run).series()
    assert tracemalloc.get_traced_memory()[1] < 2**22
    tracemalloc.stop()
    with pytest.raises(SeriesError, match="expected at most"):
        Recorder(run)
    with pytest.raises(RunError, match=r"series.*expected at most"):
        evaluate(run, only=["ingestion"])


def test_many_series_files_that_are_too_much_together(run: Path) -> None:
    for number in range(1, 6):
        path = run / "series" / f"{number:03d}.series"
        path.touch()
        os.truncate(path, GIB // 2)
    with pytest.raises(SeriesError, match=r"series: 2,684,35\d,\d+ bytes, expected at most"):
        Run.open(run).series()


@pytest.mark.parametrize("name", ["00000000", "reference"])
def test_samples_of_6_gb(run: Path, name: str) -> None:
    os.truncate(run / "samples" / f"{name}.safetensors", 6 * GIB)
    with pytest.raises(SnapshotError, match=r"safetensors: 6442450944 bytes, expected at most"):
        Run.open(run).samples(0) if name != "reference" else Run.open(run).reference()


def test_a_file_of_a_snapshot_that_is_larger_than_its_list_says(run: Path) -> None:
    path = run / "snapshots" / "00000000" / "players.safetensors"
    expected = path.stat().st_size
    os.truncate(path, 6 * GIB)
    with pytest.raises(SnapshotError, match=f"expected {expected} bytes, found 6442450944"):
        Run.open(run).snapshots()[0].weights()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 5 * 2**20


def test_small_types_count_by_their_numbers(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcc.runs.sample_files.MAX_NUMBERS", 100)
    write_tensors(
        run / "samples" / "00000000.safetensors", {"samples": np.ones((101, 1), np.uint8)}
    )
    with pytest.raises(SnapshotError, match="holds 101 numbers, expected at most 100"):
        Run.open(run).samples(0)


def test_the_recorder_refuses_samples_that_no_reader_would_take(tmp_path: Path) -> None:
    large = np.broadcast_to(np.zeros(1, np.uint8), (2**27 + 1, 1))
    with Recorder(tmp_path / "run") as rec, pytest.raises(OptionError, match="record fewer rows"):
        rec.samples(0, large)


@pytest.mark.parametrize("shape", [(0, 2), (2, 0), ()])
def test_samples_without_numbers(run: Path, shape: tuple[int, ...]) -> None:
    for file, name in (("00000000", "samples"), ("reference", "reference")):
        write_tensors(run / "samples" / f"{file}.safetensors", {name: np.zeros(shape)})
    opened = Run.open(run)
    with pytest.raises(
        SnapshotError, match=r"00000000.*tensor 'samples': expected rows \[n, ...\]"
    ):
        opened.samples(0)
    with pytest.raises(SnapshotError, match=r"reference.*'reference': expected rows \[n, ...\]"):
        opened.reference()
