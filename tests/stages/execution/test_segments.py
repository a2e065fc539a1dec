"""Segments replayed side by side leave the log of one passage; a killed one is replayed again."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcc.errors import ForeignCodeError, ForeignCodeStopped
from dlcc.past_runs.build import doctoring
from dlcc.records import Column, Series
from dlcc.sandbox import Session, available_levels
from dlcc.stages.execution.coverage import Coverage
from dlcc.stages.execution.replay_log import Extent, Planned, ReplayLog, plan
from dlcc.stages.execution.rows import LoggedRows
from dlcc.stages.execution.segments import replay_segments, segments_of
from dlcc.stages.recorded_state import RecordedState
from tests.stages.execution.test_execution import execute

isolated = pytest.mark.skipif(
    not available_levels(), reason="this machine offers neither bubblewrap nor Landlock"
)


def plan_of(steps: Sequence[int], length: int) -> tuple[list[Planned], LoggedRows]:
    column = Column(np.arange(length), np.zeros(length), np.zeros(length))
    rows = LoggedRows.of(Series({"model/loss": column}))
    states = [RecordedState(step, str(step), {}, b"", {}, {"x": np.zeros(1)}) for step in steps]
    return plan(rows, states, Extent(2, 20, full=True), exact=True), rows


@pytest.mark.parametrize("count", [1, 2, 3, 5, 50])
def test_segments_are_the_plan_divided_at_snapshots(count: int) -> None:
    planned, _ = plan_of([0, 10, 20, 90, 100, 110], 130)
    segments = segments_of(planned, count)
    assert [one for segment in segments for one in segment] == planned
    assert 1 <= len(segments) <= min(count, 6)
    for before, after in pairwise(segments):
        assert before[-1].stored.step < after[0].stored.step
    assert segments_of([], 3) == []


def test_one_that_died_is_replayed_alone() -> None:
    planned, rows = plan_of([0, 10, 20, 30], 40)
    segments = segments_of(planned, 3)
    calls: list[tuple[int, bool]] = []
    told: list[float] = []

    def replay_one(checks: Sequence[Planned], progress: Any, alone: bool) -> ReplayLog:
        number = next(i for i, segment in enumerate(segments) if segment == checks)
        calls.append((number, alone))
        log = ReplayLog(Coverage(rows), [one.undecided(f"{alone}") for one in checks])
        progress(1.0, "done")
        if number == 1 and not alone:
            raise ForeignCodeStopped("no memory")
        log.died = number == 2 and not alone
        return log

    log = replay_segments(segments, rows, replay_one, lambda share, what: told.append(share))
    assert sorted(calls) == [(0, False), (1, False), (1, True), (2, False), (2, True)]
    assert [check.snapshot for check in log.checks] == [one.stored.step for one in planned]
    assert {check.reason for check in log.checks if check.snapshot >= 20} == {"True"}
    assert max(told) == pytest.approx(1)


def test_what_fails_twice_is_told() -> None:
    planned, rows = plan_of([0, 10], 20)

    def replay_one(checks: Sequence[Planned], progress: Any, alone: bool) -> ReplayLog:
        raise ForeignCodeError("it ends")

    with pytest.raises(ForeignCodeError, match="it ends"):
        replay_segments(segments_of(planned, 2), rows, replay_one, lambda share, what: None)


@isolated
def test_side_by_side_and_killed_it_is_the_result_of_one_passage(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doctoring.set_value(small_run, "generator/loss", 31, 0.25)
    serial = execute(small_run, full=True)
    copy = tmp_path / "copy"
    shutil.copytree(small_run, copy)
    killed = threading.Event()
    plain = Session.step

    def step(self: Session, first: int, *args: Any, **kwargs: Any) -> Any:
        if first > 100 and not killed.is_set():
            killed.set()
            for child in children():
                os.kill(child, signal.SIGKILL)
            time.sleep(0.2)
        return plain(self, first, *args, **kwargs)

    monkeypatch.setattr(Session, "step", step)
    assert not children()
    again = execute(copy, full=True, workers=2, sandboxed=True)
    assert killed.is_set()
    assert without_time(again) == without_time(serial)


def children() -> list[int]:
    """Processes that this one started."""
    own = Path(f"/proc/{os.getpid()}/task")
    return [int(pid) for task in own.iterdir() for pid in (task / "children").read_text().split()]


def without_time(result: Any) -> Any:
    return [asdict(record) for record in result.records], result.findings, result.details
