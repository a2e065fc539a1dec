"""A command that is killed takes all that it started with it, and the next one cleans up."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from benchmarks.orphans import FOREIGN, killed
from dlcc.past_runs.build import doctoring
from dlcc.sandbox import available_levels
from tests.command import dlcc
from tests.stages.execution.test_execution import STEP

DLCC = (sys.executable, "-m", "dlcc.cli")
FILES = Path(__file__).parent / "stage_files"
SIGNALS = [signal.SIGTERM, signal.SIGKILL]


def environment(temporary: Path) -> dict[str, str]:
    temporary.mkdir()
    return {**os.environ, "TMPDIR": str(temporary)}


def assert_next_call_cleans(run: Path, out: Path, temporary: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", temporary)
        done = dlcc("evaluate", run, "--only", "landscape", "--out", out)
    assert done.returncode == 0, done.stderr
    assert [*out.glob(".new-*"), *Path(temporary).glob("dlcc-*")] == []


@pytest.mark.parametrize("number", SIGNALS)
def test_a_stage_and_what_it_detached(number: int, small_run: Path, tmp_path: Path) -> None:
    ready, out, env = tmp_path / "ready", tmp_path / "o", environment(tmp_path / "tmp")
    stage = ["--stage", f"{FILES}/detaching.py:Detaches", "--set", f"detaches.ready={ready}"]
    command = [*DLCC, "evaluate", str(small_run), *stage, "--only", "detaches", "--out", str(out)]
    made = killed(command, 0.2, number, once=ready, env=env)
    assert made.running
    assert made.survivors == ()
    assert made.returncode == (143 if number == signal.SIGTERM else -number)
    left = [*out.glob(".new-*"), *(tmp_path / "tmp").glob("dlcc-*")]
    assert len(left) == (0 if number == signal.SIGTERM else 2)
    assert_next_call_cleans(small_run, out, env["TMPDIR"])


@pytest.mark.skipif(not available_levels(), reason="this machine isolates nothing")
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(("command", "wait"), [("evaluate", 0.3), ("rerun", 0.1)])
def test_foreign_code_that_sleeps(
    command: str, wait: float, number: int, small_run: Path, tmp_path: Path
) -> None:
    """In its sandbox, below the worker or below the command itself."""
    doctoring.edit_source(small_run, STEP, f"__import__('time').sleep(60)\n        {STEP}")
    env, out = environment(tmp_path / "tmp"), tmp_path / "o"
    options = {"evaluate": ["--only", "execution", "--out", str(out)], "rerun": ["--n", "4"]}
    command_line = [*DLCC, command, str(small_run), *options[command]]
    made = killed(command_line, wait, number, once=FOREIGN, env=env)
    assert made.running
    assert made.children
    assert made.survivors == ()
    assert made.returncode == (143 if number == signal.SIGTERM else -number)
    assert_next_call_cleans(small_run, out, env["TMPDIR"])
