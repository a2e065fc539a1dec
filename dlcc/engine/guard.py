"""Guard between a process and what it starts: `python -I -S guard.py PARENT BYTES COMMAND ...`.

A process that is killed with SIGKILL can end nothing that it started, and what detached itself from
its parent belongs to nobody. The guard adopts whatever loses its parent below it, and ends all of
it when the command ends, when its own parent dies in any way, and at SIGTERM. The command has at
most BYTES of address space, and ends as the guard does if somebody kills that.

Loaded alone, without this package: it has to be there in a few milliseconds.
"""

import ctypes
import os
import resource
import signal
import sys
import time

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_AWAITED = {signal.SIGTERM, signal.SIGCHLD}
_PATIENCE = 10.0  # seconds for what cannot be killed at once, such as a process in the kernel
_NOT_STARTED = 127  # as shells have it


def main(arguments: list[str]) -> int:
    """Start the command and wait; returns the status to end with, negative for a signal."""
    parent, memory, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    prctl = ctypes.CDLL(None).prctl
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # children are not to be reaped unseen
    usual = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:  # it died before it could be told of
        return -signal.SIGTERM
    guard, child = os.getpid(), os.fork()
    if child == 0:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() == guard:
            _become(command, memory, usual)
        os._exit(_NOT_STARTED)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # pipes end when the command closes them
    status = _status_of(child)
    _end_all()
    return -signal.SIGTERM if status is None else os.waitstatus_to_exitcode(status)


def _become(command: list[str], memory: int, mask: set[int | signal.Signals]) -> None:
    os.setsid()  # a signal to its group does not reach the guard
    # An absurd allocation fails at once, as MemoryError, instead of being chased by a poll.
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python
        signal.signal(ignored, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())


def _status_of(child: int) -> int | None:
    """Wait for the child and give its status; None where the guard was told to end before."""
    while signal.sigwaitinfo(_AWAITED).si_signo != signal.SIGTERM:
        while (reaped := _reap()) is not None:
            if reaped[0] == child:
                return reaped[1]
    return None


def _end_all() -> None:
    """Kill until nothing is left: what loses its parent meanwhile comes to the guard."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        for pid in _descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                continue
        try:
            while _reap() is not None:
                pass
        except ChildProcessError:
            return
        time.sleep(0.002)


def _reap() -> tuple[int, int] | None:
    """Collect a child that ended, as (pid, status); None where there are only others."""
    pid, status = os.waitpid(-1, os.WNOHANG)
    return (pid, status) if pid else None


def _descendants() -> set[int]:
    """Process ids of all processes below this one."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found: set[int] = set()
    below = [os.getpid()]
    while below:
        new = [pid for pid in children.get(below.pop(), []) if pid not in found]
        found.update(new)
        below += new
    return found


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    if ended < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -ended != signal.SIGKILL:
            signal.signal(-ended, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        os.kill(os.getpid(), -ended)
    os._exit(ended)
