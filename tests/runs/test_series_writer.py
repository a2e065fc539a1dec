"""Rows on their way to the disk: full disks, slow disks, and the clock."""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dlcc.errors import RunError
from dlcc.runs import Recorder, Run
from dlcc.runs.series_writer import SeriesWriter
from tests.runs.conftest import LOSS, column


class Disk:
    """os.pwrite to a disk with so many bytes left."""

    def __init__(self) -> None:
        self.left: float = math.inf
        self._pwrite = os.pwrite

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        if self.left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._pwrite(descriptor, data[: int(min(self.left, len(data)))], offset)
        self.left -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr("dlcc.runs.series_writer.os.pwrite", disk.pwrite)
    return disk


def test_a_full_disk_costs_nothing_once_there_is_space(tmp_path: Path, disk: Disk) -> None:
    with Recorder(tmp_path / "run") as recorder:
        recorder.log(0, LOSS)
        recorder.flush()
        disk.left = 30  # in the middle of a block header
        for step in range(1, 10_000):
            recorder.log(step, LOSS)
        with pytest.raises(RunError, match=r"series.*No space left on device.*free some space"):
            recorder.flush()
        table = Run.open(tmp_path / "run").series()
        assert not table.torn, "the short write was not rolled back"
        assert table.columns["model/loss"].steps.tolist() == [0]
        disk.left = math.inf
        recorder.flush()
        recorder.log(10_000, LOSS)
    assert len(column(tmp_path / "run", "model/loss")) == 10_001


def test_a_disk_that_stays_full_stops_the_recording(tmp_path: Path, disk: Disk) -> None:
    recorder = Recorder(tmp_path / "run")
    disk.left = 0

    def record() -> None:
        for step in range(200_000):
            recorder.log(step, LOSS)

    with pytest.raises(RunError, match="No space left on device"):
        record()
    with pytest.raises(RunError, match=r"the last \d+ rows were refused .* are lost"):
        recorder.close()
    assert Run.open(tmp_path / "run").series().columns == {}
    Recorder(tmp_path / "run").close()


def test_a_file_size_limit_of_the_system(tmp_path: Path) -> None:
    """The same with a refusal by the kernel."""
    code = f"""
import resource
from dlcc.errors import RunError
from dlcc.runs import Recorder
recorder = Recorder({str(tmp_path / "run")!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
for step in range(100):
    recorder.log(step, {{"model/loss": 1.0}})
recorder.flush()
for step in range(100, 1000):
    recorder.log(step, {{"model/loss": 1.0}})
try:
    recorder.flush()
except RunError as error:
    assert "File too large" in str(error), error
else:
    raise SystemExit("no error")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
recorder.close()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert len(column(tmp_path / "run", "model/loss")) == 1000


def test_the_clock_starts_anew_before_it_overflows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlcc.runs.series_writer._MAX_CLOCK", 20)
    began = time.time()
    with Recorder(tmp_path / "run") as recorder:
        for step in range(10):
            recorder.log(step, LOSS)
            time.sleep(0.01)
    clock = Run.open(tmp_path / "run").series().columns["model/loss"].clock
    assert np.all(np.diff(clock) > 0.005)
    assert began - 0.01 <= clock[0] <= clock[-1] <= time.time()
    assert Run.open(tmp_path / "run").series().restarts == ()


def test_the_writer_thread_waits_for_the_disk_and_not_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drain = SeriesWriter._drain
    monkeypatch.setattr(SeriesWriter, "_drain", lambda self: (time.sleep(0.3), drain(self))[1])
    with Recorder(tmp_path / "run") as recorder:
        recorder.log(0, LOSS)
        time.sleep(0.1)  # the thread is busy now
        start = time.perf_counter()
        for step in range(1, 1000):
            recorder.log(step, LOSS)
        assert time.perf_counter() - start < 0.15
    assert len(column(tmp_path / "run", "model/loss")) == 1000
