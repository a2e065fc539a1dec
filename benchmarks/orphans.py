"""What lives on when a command is killed: found because this process adopts it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER, _PR_GET_CHILD_SUBREAPER = 36, 37


@dataclass(frozen=True)
class Killed:
    """What came of it."""

    running: bool
    """Whether the command was still at work when it was killed."""
    children: int
    """Processes below it at that moment."""
    returncode: int | None
    """None where it did not end."""
    seconds: float
    """Until nothing of it ran, or those that were waited."""
    survivors: tuple[str, ...]
    """The names of processes that still ran then."""


def killed(
    command: Sequence[str],
    after: float,
    number: int,
    patience: float = 2.0,
    once: Path | str | None = None,
    env: Mapping[str, str] | None = None,
) -> Killed:
    """Run a command, send it a signal `after` seconds, and see what of its tree lives on.

    Args:
        command: the command.
        after: seconds from its start, or from the moment of `once`.
        number: the signal, which the command alone gets.
        patience: seconds that everything below it has to end.
        once: a file that it makes, or a pattern in the command line of a process below it.
        env: its environment.
    """
    with _adopting() as others:
        child = subprocess.Popen(
            command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while child.poll() is None and not _is_met(once, others):
                time.sleep(0.01)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(after)
            running, children = child.poll() is None, len(_alive(others, child)) - 1
            child.send_signal(number)
            struck = time.monotonic()
            while (left := _alive(others, child)) and time.monotonic() - struck < patience:
                time.sleep(0.01)
            seconds = time.monotonic() - struck
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(0.0 if left else 1.0)
            names = tuple(sorted(_command(process)[:80] for process in left))
            return Killed(running, max(0, children), child.poll(), round(seconds, 3), names)
        finally:
            for process in [*_below(others), child]:
                with contextlib.suppress(psutil.Error, ProcessLookupError):
                    process.kill()
            child.wait()
            while _alive(others, child):
                time.sleep(0.01)


FOREIGN = r"child\.py \d"
"""The command line of a sandbox with foreign code, and of its guard."""


@contextlib.contextmanager
def _adopting() -> Iterator[set[int]]:
    """Within, what loses its parent below this process comes to it; yields who was there before."""
    prctl, was = ctypes.CDLL(None).prctl, ctypes.c_int()
    prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(was), 0, 0, 0)
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield {process.pid for process in psutil.Process().children(recursive=True)}
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, was.value, 0, 0, 0)


def _is_met(once: Path | str | None, others: set[int]) -> bool:
    if isinstance(once, Path):
        return once.exists()
    return once is None or any(re.search(once, _command(p)) for p in _below(others))


def _below(others: set[int]) -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if p.pid not in others]


def _alive(others: set[int], child: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Processes below this one that run; the dead that came to it are buried."""
    child.poll()
    found = []
    for process in _below(others):
        with contextlib.suppress(psutil.Error, ChildProcessError):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
            elif process.ppid() == os.getpid() and process.pid != child.pid:
                os.waitpid(process.pid, os.WNOHANG)
    return found


def _command(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(Path(part).name for part in process.cmdline())
    return "?"
