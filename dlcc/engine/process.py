"""Supervision of a child process whose whole tree is bounded in time and memory.

The bounds hold against code that never returns to Python, that forks, that detaches its children
or that swallows every exception: they are enforced from outside, with SIGKILL. If this process is
killed itself, the tree dies with it (`dlcc.engine.guard`).
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO, Literal

import psutil

__all__ = ["Ended", "supervise"]

_POLL = 0.03  # seconds; allocation runs at 1 to 2 GB a second, so the overshoot is tens of MB
_TAIL = 16_384  # bytes of output that are kept
_HEADROOM = 8 << 30  # address space beyond the memory limit: torch maps much that it never touches
_MARK = "DLCC_TREE"
_PATIENCE = 1.0  # seconds that a guard has to end its tree
_GUARD = Path(__file__).with_name("guard.py")
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_LISTS = Path("/proc/thread-self/children")
"""List of a thread's children, which most kernels keep. A watch asks 30 times a second,
and asking every process of the machine for its parent takes 15 times as long."""
_DEAD = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)

End = Literal["exited", "time", "memory", "stopped"]


@dataclass(frozen=True)
class Ended:
    """Result of a supervised child: how it ended.

    >>> Ended("time", -9, seconds=60.1, peak_memory=1 << 20, output="").how
    'time'
    """

    how: End
    """Way in which it ended: by itself, by a limit of time or memory, or by `stop`."""
    returncode: int
    """Exit code; negative for the signal that ended it."""
    seconds: float
    """Seconds that it ran."""
    peak_memory: int
    """Largest resident size of the tree seen, in bytes (shared pages count once a process)."""
    output: str
    """Last 16 kB of stdout and stderr."""


def supervise(
    command: Sequence[str],
    *,
    seconds: float,
    memory: int,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    on_line: Callable[[str], None] | None = None,
    pass_fds: Sequence[int] = (),
    stop: threading.Event | None = None,
) -> Ended:
    """Run a command to its end, within limits of time and memory over its whole process tree.

    Setting `stop` kills the tree. Ctrl-C kills the tree and is raised again, and so is SIGTERM
    where it has a handler. The tree dies with this process, and with the thread that called.

    Args:
        command: Program and its arguments.
        seconds: Largest time in seconds.
        memory: Largest memory in bytes, over the whole tree.
        cwd: Folder in which the command runs.
        env: Environment variables; None for those of this process.
        on_line: Callback for each line that the child writes to the descriptor named by the
            variable DLCC_PROGRESS; without it there is no such descriptor.
        pass_fds: Descriptors that the child inherits.
        stop: Event that ends the command when it is set.

    Returns:
        How the command ended, with its output and peak memory.

    Raises:
        OSError: The command cannot be started.

    >>> ended = supervise([sys.executable, "-c", "print(6 * 7)"], seconds=60, memory=1 << 30,
    ...                   cwd=Path())
    >>> ended.how, ended.returncode, ended.output
    ('exited', 0, '42\\n')
    """
    mark = uuid.uuid4().hex
    inherited = os.environ if env is None else env
    child_env = {**inherited, _MARK: mark}
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        interrupted = stack.enter_context(_interrupt_held())
        write_end = None
        if os.name != "posix":
            on_line = None  # descriptors are not inherited
        if on_line is not None:
            read_end, write_end = os.pipe()
            stack.callback(os.close, read_end)
            child_env["DLCC_PROGRESS"] = str(write_end)
        try:
            child = subprocess.Popen(
                _guarded(command, memory + _HEADROOM),
                cwd=cwd,
                env=child_env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone
                pass_fds=(*pass_fds, *([] if write_end is None else [write_end])),
            )
        finally:
            if write_end is not None:
                os.close(write_end)
        assert child.stdout is not None
        tail = _Tail(child.stdout)
        lines = threading.Thread(target=lambda: None)
        if on_line is not None:
            descriptor = os.dup(read_end)
            lines = threading.Thread(target=_pump_lines, args=(descriptor, on_line), daemon=True)
        lines.start()
        stack.callback(_kill_tree, child, mark)
        stops = [interrupted] if stop is None else [interrupted, stop]
        how, peak = _watch(child, started + seconds, memory, stops)
        if how != "exited":
            _kill_tree(child, mark)
        returncode = child.wait()
    tail.join()
    lines.join(1.0)
    return Ended(how, returncode, time.monotonic() - started, peak, tail.text())


def _guarded(command: Sequence[str], address_space: int) -> list[str]:
    """Put the command below a guard, which bounds its address space, where there is one."""
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command[0])
    if sys.platform != "linux":
        return list(command)
    guard = [sys.executable, "-I", "-S", str(_GUARD)]
    return [*guard, str(os.getpid()), str(address_space), *command]


@contextlib.contextmanager
def _interrupt_held() -> Iterator[threading.Event]:
    """Hold Ctrl-C and SIGTERM back: they set the event, and are raised where the block ends.

    Raised at once they could strike between the child's start and the first line that would kill
    it, or inside a finaliser, where Python drops them.
    """
    interrupted, struck = threading.Event(), set[int]()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # nothing is raised here: it is the main thread's
        return
    handlers = {int(n): signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    usual = {number: handler for number, handler in handlers.items() if callable(handler)}

    def hold(number: int, frame: FrameType | None) -> None:
        struck.add(number)
        interrupted.set()

    for number in usual:
        signal.signal(number, hold)
    try:
        yield interrupted
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
        for number in struck:
            signal.raise_signal(number)


def _watch(
    child: subprocess.Popen[bytes], end: float, memory: int, stops: Sequence[threading.Event]
) -> tuple[End, int]:
    peak = 0
    process = psutil.Process(child.pid)
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_POLL)
        resident = _resident(process)
        peak = max(peak, resident)
        if child.returncode is not None:
            return "exited", peak
        if resident > memory and _proportional(process) > memory:
            return "memory", peak
        if time.monotonic() > end:
            return "time", peak
        if any(stop.is_set() for stop in stops):
            return "stopped", peak


def _tree(process: psutil.Process) -> list[psutil.Process]:
    if not _LISTS.exists():
        try:
            return [process, *process.children(recursive=True)]
        except psutil.Error:
            return []
    pids, members = [process.pid], []
    for pid in pids:  # grows meanwhile
        with contextlib.suppress(OSError, psutil.Error):
            with os.scandir(f"/proc/{pid}/task") as tasks:  # closed where a task ends meanwhile
                for task in tasks:
                    pids.extend(map(int, Path(task.path, _LISTS.name).read_text().split()))
            members.append(psutil.Process(pid))
    return members


def _resident(process: psutil.Process) -> int:
    total = 0
    for member in _tree(process):
        with contextlib.suppress(psutil.Error):
            total += int(member.memory_info().rss)
    return total


def _proportional(process: psutil.Process) -> int:
    """Memory of the tree in bytes, shared pages divided among sharers: slow, so asked late."""
    total = 0
    for member in _tree(process):
        with contextlib.suppress(psutil.Error):
            info = member.memory_full_info()
            total += int(getattr(info, "pss", info.uss))
    return total


def _kill_tree(child: subprocess.Popen[bytes], mark: str) -> None:
    """Kill child and descendants, also those that detached themselves (they carry our mark).

    The guard is asked first: what detached itself has come to it.
    """
    killed: set[int] = set()
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_PATIENCE)
    for _ in range(50):
        members = {p.pid for p in _tree_of(child.pid)} | _marked(mark)
        if child.returncode is not None:
            members.discard(child.pid)
        if not members:
            break
        for pid in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, _KILL)
        killed |= members
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.2)
    _await_end(killed)


def _await_end(killed: set[int]) -> None:
    """Wait until nothing of `killed` runs: a dying process has lost its mark, not yet its life."""
    for pid in killed:
        with contextlib.suppress(psutil.Error):
            dying = psutil.Process(pid)
            end = time.monotonic() + 2.0
            while dying.status() not in _DEAD and time.monotonic() < end:
                time.sleep(0.005)


def _tree_of(pid: int) -> list[psutil.Process]:
    try:
        return [p for p in _tree(psutil.Process(pid)) if p.status() != psutil.STATUS_ZOMBIE]
    except psutil.Error:
        return []


def _marked(mark: str) -> set[int]:
    needle = f"{_MARK}={mark}".encode()
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if needle in (entry / "environ").read_bytes() and int(entry.name) != os.getpid():
                found.add(int(entry.name))
    return found


def _pump_lines(descriptor: int, on_line: Callable[[str], None]) -> None:
    with os.fdopen(descriptor, "r", encoding="utf-8", errors="replace") as stream:
        for line in stream:
            on_line(line.rstrip("\n"))


class _Tail:
    """Reader that drains a stream in a thread and keeps its end."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = b""
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with self._stream:
            while chunk := self._stream.read1(65_536):  # type: ignore[attr-defined]
                self._kept = (self._kept + chunk)[-_TAIL:]

    def join(self) -> None:
        self._thread.join(1.0)

    def text(self) -> str:
        return self._kept.decode("utf-8", errors="replace")
