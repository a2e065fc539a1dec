"""Rows on their way to the disk: full disks, slow disks, and the clock."""

from __future__ import annotations

import errno
import math
import os
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Sized
from pathlib import Path

import numpy as np
import pytest

from dlcc.errors import RunError
from dlcc.runs import Recorder, Run
from tests.runs.conftest import LOSS, column


class Disk:
    """os.pwrite to a disk with so many bytes left, where each write takes so many seconds."""

    def __init__(self) -> None:
        self.left: float = math.inf
        self.seconds = 0.0
        self._pwrite = os.pwrite

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        time.sleep(self.seconds)
        if self.left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._pwrite(descriptor, data[: int(min(self.left, len(data)))], offset)
        self.left -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk that series are written to: roomy and quick until the test says otherwise."""
    disk = Disk()
    monkeypatch.setattr("dlcc.runs.series_writer.os.pwrite", disk.pwrite)
    return disk


def log_until_told(recorder: Recorder, first: int, told: Sized) -> int:
    """Log steps from `first` on until a warning is among those `told`; the next step."""
    step = first
    while not told:
        assert step < first + 10_000
        recorder.log(step, LOSS)
        time.sleep(0.001)
        step += 1
    return step


def test_a_full_disk_costs_nothing_once_there_is_space(tmp_path: Path, disk: Disk) -> None:
    with Recorder(tmp_path / "run") as recorder:
        recorder.log(0, LOSS)
        recorder.flush()
        disk.left = 30  # in the middle of a block header
        with pytest.warns(RuntimeWarning, match=r"No space left .*kept in memory") as told:  # noqa: PT031
            end = log_until_told(recorder, 1, told)
            for step in range(end, end + 10_000):
                recorder.log(step, LOSS)
        assert len(told) == 1
        assert told[0].filename == __file__
        with pytest.raises(RunError, match=r"series.*No space left on device.*free some space"):
            recorder.flush()
        table = Run.open(tmp_path / "run").series()
        assert not table.torn, "the short write was not rolled back"
        assert table.columns["model/loss"].steps.tolist() == [0]
        disk.left = math.inf
        recorder.flush()
        recorder.log(end + 10_000, LOSS)
    assert len(column(tmp_path / "run", "model/loss")) == end + 10_001


def test_a_disk_that_stays_full_stops_the_recording(tmp_path: Path, disk: Disk) -> None:
    recorder = Recorder(tmp_path / "run")
    disk.left = 0

    def record() -> None:
        for step in range(200_000):
            recorder.log(step, LOSS)

    with (
        pytest.warns(RuntimeWarning, match="kept in memory"),
        pytest.raises(RunError, match="No space left on device"),
    ):
        record()
    with pytest.raises(RunError, match=r"the last [\d,]+ steps were refused .* are lost"):
        recorder.close()
    assert Run.open(tmp_path / "run").series().columns == {}
    Recorder(tmp_path / "run").close()


def test_a_file_size_limit_of_the_system(tmp_path: Path) -> None:
    """The same with a refusal by the kernel."""
    code = f"""
import resource, warnings
from dlcc.errors import RunError
from dlcc.runs import Recorder
recorder = Recorder({str(tmp_path / "run")!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
for step in range(100):
    recorder.log(step, {{"model/loss": 1.0}})
recorder.flush()
with warnings.catch_warnings(record=True):
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


def test_lost_steps_are_counted_and_not_the_rows_of_every_file(tmp_path: Path, disk: Disk) -> None:
    recorder = Recorder(tmp_path / "run")
    recorder.log(0, {"a/loss": 1.0})
    recorder.log(0, {"b/loss": 1.0})
    recorder.flush()
    disk.left = 0
    with warnings.catch_warnings(record=True):
        for step in range(1, 1_235):
            recorder.log(step, {"a/loss": 1.0})
            recorder.log(step, {"b/loss": 1.0})
    with pytest.raises(RunError, match=r"the last 1,234 steps were refused"):
        recorder.close()


@pytest.mark.parametrize("how", ["moved", "deleted", "replaced", "a file of it"])
def test_a_folder_that_is_gone_is_noticed(tmp_path: Path, how: str) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    recorder = Recorder(run)
    recorder.log(0, LOSS)
    recorder.flush()
    if how == "a file of it":
        (run / "series" / "000.series").unlink()
    else:
        run.rename(elsewhere)
    if how == "replaced":
        shutil.copytree(elsewhere, run)
    if how == "deleted":
        shutil.rmtree(elsewhere)

    def record() -> None:
        for step in range(1, 500):
            recorder.log(step, LOSS)
            time.sleep(0.01)

    with pytest.raises(
        RunError, match=r"run: the run's folder.* was moved or deleted.*put it back"
    ):
        record()
    with pytest.raises(RunError, match="was moved or deleted"):
        recorder.snapshot(1)
    with pytest.raises(RunError, match="was moved or deleted"):
        recorder.samples(1, np.ones((3, 2)))
    with pytest.raises(RunError, match="was moved or deleted"):
        recorder.close()
    assert run.exists() == (how in ("replaced", "a file of it")), "the folder was made again"
    if how == "moved":
        assert column(elsewhere, "model/loss")[0] == 1.0


def test_a_run_that_records_nothing_but_snapshots_notices_too(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="was moved or deleted"):
        recorder.snapshot(0)
    assert not (tmp_path / "run").exists()
    with pytest.raises(RunError, match="was moved or deleted"):
        recorder.close()


def test_no_more_is_recorded_than_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcc.runs.series_writer.MAX_BYTES", 200_000)
    monkeypatch.setattr("dlcc.runs.series_writer.RESERVED_BYTES", 100_000)
    recorder = Recorder(tmp_path / "run")

    def record() -> None:
        for step in range(200_000):
            recorder.log(step, LOSS)

    with (
        pytest.warns(RuntimeWarning, match="at most 100,000 are recorded; log fewer"),
        pytest.raises(RunError, match=r"at most 100,000 are recorded; go on in another folder"),
    ):
        record()
    recorder.close()
    assert sum(p.stat().st_size for p in (tmp_path / "run" / "series").iterdir()) < 300_000


def test_the_clock_starts_anew_before_it_overflows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlcc.runs.series_writer.MAX_CLOCK_MILLISECONDS", 20)
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
    tmp_path: Path, disk: Disk
) -> None:
    disk.seconds = 0.3
    with Recorder(tmp_path / "run") as recorder:
        recorder.log(0, LOSS)
        time.sleep(0.1)  # the thread is busy now
        start = time.perf_counter()
        for step in range(1, 1000):
            recorder.log(step, LOSS)
        assert time.perf_counter() - start < 0.15
    assert len(column(tmp_path / "run", "model/loss")) == 1000
