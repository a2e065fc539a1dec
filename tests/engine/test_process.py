"""Bounds on a process tree, against code that does its worst."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from dlcc.engine.process import Ended, supervise


def run(code: str, tmp_path: Path, seconds: float = 20, memory: int = 1 << 30) -> Ended:
    return supervise([sys.executable, "-c", code], seconds=seconds, memory=memory, cwd=tmp_path)


def test_an_ordinary_child_ends_with_its_code_and_output(tmp_path: Path) -> None:
    ended = run("import sys, time; print('hello'); time.sleep(0.2); sys.exit(3)", tmp_path)
    assert (ended.how, ended.returncode, ended.output) == ("exited", 3, "hello\n")
    assert ended.peak_memory > 1 << 20


def test_a_child_that_never_returns_to_python_is_stopped(tmp_path: Path) -> None:
    # the regular expression backtracks for ever inside C, with every signal handler disarmed
    code = (
        "import re, signal\n"
        "for s in (signal.SIGTERM, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\n"
        "re.match('(a+)+$', 'a' * 60 + 'b')"
    )
    ended = run(code, tmp_path, seconds=1)
    assert ended.how == "time"
    assert ended.seconds < 4


def test_memory_is_bounded_over_the_tree(tmp_path: Path) -> None:
    code = (
        "import os, time\n"
        "if os.fork() == 0: block = b'x' * (150 << 20)\n"
        "else: block = b'y' * (150 << 20)\n"
        "time.sleep(30)"
    )
    ended = run(code, tmp_path, memory=200 << 20)
    assert ended.how == "memory"


def test_an_absurd_allocation_fails_at_once(tmp_path: Path) -> None:
    ended = run("bytearray(100 << 30)", tmp_path)
    assert ended.how == "exited"
    assert "MemoryError" in ended.output


def test_children_that_detach_themselves_die_too(tmp_path: Path) -> None:
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        open('pid', 'w').write(str(os.getpid()))\n"
        "        time.sleep(60)\n"
        "    os._exit(0)\n"
        "while not os.path.exists('pid') or not open('pid').read(): time.sleep(.01)\n"
    )
    run(code, tmp_path)
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_progress_lines_arrive(tmp_path: Path) -> None:
    seen: list[str] = []
    code = "import os; os.write(int(os.environ['DLCC_PROGRESS']), b'0.5 half\\n')"
    supervise(
        [sys.executable, "-c", code],
        seconds=20,
        memory=1 << 30,
        cwd=tmp_path,
        on_line=seen.append,
    )
    assert seen == ["0.5 half"]


def interrupt_once_written(path: Path) -> None:
    for _ in range(1_500):
        if path.exists() and path.read_text():
            os.kill(os.getpid(), signal.SIGINT)
            return
        time.sleep(0.01)


SLEEPER = "import time, os; open('pid','w').write(str(os.getpid())); time.sleep(60)"


def test_ctrl_c_kills_the_tree_and_is_raised(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    threading.Thread(target=interrupt_once_written, args=(written,), daemon=True).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run(SLEEPER, tmp_path)
    assert time.monotonic() - started < 20
    assert not psutil.pid_exists(int(written.read_text()))


def test_ctrl_c_before_the_parent_knows_its_child_kills_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine the child may run for long before Popen returns."""
    written = tmp_path / "pid"

    class SlowToReturn(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **keywords: Any) -> None:
            super().__init__(*args, **keywords)
            interrupt_once_written(written)
            time.sleep(0.05)

    monkeypatch.setattr(subprocess, "Popen", SlowToReturn)
    with pytest.raises(KeyboardInterrupt):
        run(SLEEPER, tmp_path)
    assert not psutil.pid_exists(int(written.read_text()))


def test_ctrl_c_means_afterwards_what_it_meant_before(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    run("pass", tmp_path)
    assert signal.getsignal(signal.SIGINT) is before


def test_endless_output_is_drained_and_cut(tmp_path: Path) -> None:
    ended = run("print('x' * 3_000_000)", tmp_path)
    assert ended.how == "exited"
    assert len(ended.output) == 16_384


def test_the_module_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        run("pass", tmp_path)
    assert len(os.listdir("/proc/self/fd")) <= before + 1
