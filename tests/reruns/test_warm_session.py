"""Sandboxes of workers: one for many reruns, and as isolated in time as fresh ones."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from dlcc.engine import jobs
from dlcc.engine.engines import Local, Processes
from dlcc.engine.jobs import Job
from dlcc.engine.results import complete
from dlcc.errors import ForeignCodeError
from dlcc.reruns.warm_session import WarmSession, session_of_worker

COUNTS = """
import os
class Counting:
    made = 0
    def __init__(self, config):
        Counting.made += 1
        self.players = {}
    def step(self, step):
        return {"a/made": float(Counting.made)}
def build(config):
    if config.get("ends"):
        os._exit(1)
    return Counting(config)
"""
FILES = {"source/train.py": COUNTS.encode()}


def made_in(warm: WarmSession, until: float, files: dict[str, bytes] = FILES) -> float:
    """Which training of its process a new one is."""
    session = warm.session(files, True, until)
    session.build("source/train.py:build", {})
    return float(session.step(0, 1, ["a/made"]).values[0, 0])


def test_a_session_stays_for_the_same_code_and_time_alone() -> None:
    warm, until = WarmSession(), time.time() + 60
    try:
        assert [made_in(warm, until), made_in(warm, until)] == [1, 2]
        assert made_in(warm, until - 1) == 1
        assert made_in(warm, until - 1, {**FILES, "source/more.py": b""}) == 1
        with pytest.raises(ForeignCodeError):
            warm.session(FILES, True, until).build("source/train.py:build", {"ends": True})
        assert made_in(warm, until) == 1  # in place of the one that died
    finally:
        warm.close()


def which(number: int, until: float) -> bytes:
    """Process of the worker, and which training of its sandbox this is."""
    with session_of_worker(FILES, True, until) as session:
        session.build("source/train.py:build", {})
        made = int(session.step(0, 1, ["a/made"]).values[0, 0])
    return f"{os.getpid()} {made}".encode()


def test_a_worker_keeps_its_session_and_nobody_else_does(tmp_path: Path) -> None:
    until = time.time() + 60
    plan = [Job(which, {"number": k, "until": until}) for k in range(3)]
    one = [f.read_bytes().split() for f in complete(plan, tmp_path / "one", Processes(1))]
    assert sorted(int(made) for _, made in one) == [1, 2, 3]
    here = [f.read_bytes().split() for f in complete(plan[:2], tmp_path / "here", Local())]
    assert [int(made) for _, made in here] == [1, 1]
    assert not jobs.is_worker()
