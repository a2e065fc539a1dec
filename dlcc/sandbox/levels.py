"""Levels of isolation that this machine offers for foreign code, found out by trying."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from enum import StrEnum
from functools import cache

from dlcc.engine.scratch import scratch_folder
from dlcc.errors import IsolationError
from dlcc.sandbox import bubblewrap, seccomp
from dlcc.sandbox.environment import CHILD, readable_paths

_PATIENCE = 10.0  # seconds a trial may take; it takes 0.05


class Level(StrEnum):
    """Level of isolation, best first."""

    BUBBLEWRAP = "bubblewrap"
    """Namespaces, seccomp and limits, set up by an ordinary user."""
    BUBBLEWRAP_AS_ROOT = "bubblewrap as root"
    """Namespaces, seccomp and limits, set up by real root, who then becomes an unused user."""
    LANDLOCK = "landlock"
    """Landlock, seccomp and limits: needs Linux 6.2 and no package."""
    NONE = "none"
    """No isolation, a process like any other: only for code that the user trusts."""


def best_level(trust: bool = False) -> Level:
    """Find the best level of isolation that holds on this machine.

    Args:
        trust: Whether the user says that the code can be trusted, so that no isolation will do.

    Returns:
        Best level that was tried and held; `Level.NONE` with `trust` where none holds.

    Raises:
        IsolationError: No level holds, and the user has not said that the code can be trusted.

    >>> best_level(trust=True) in Level
    True
    """
    levels = available_levels()
    if levels:
        return levels[0]
    if trust:
        return Level.NONE
    raise IsolationError(
        "this system offers no isolation for the run's own code: install bubblewrap "
        "(apt-get install bubblewrap), use Linux 6.2 or later, or pass --trust for code you trust"
    )


@cache
def available_levels() -> tuple[Level, ...]:
    """Find the levels of isolation that hold on this machine; each is tried once a process.

    Returns:
        Levels that were tried and held, best first; none where no isolation holds.

    >>> set(available_levels()) <= set(Level) - {Level.NONE}
    True
    """
    if sys.platform != "linux":
        return ()
    as_root = os.geteuid() == 0
    wrapped = Level.BUBBLEWRAP_AS_ROOT if as_root else Level.BUBBLEWRAP
    held = [wrapped] if _bubblewrap_holds(as_root) else []
    return (*held, *([Level.LANDLOCK] if _landlock_holds() else []))


def _bubblewrap_holds(as_root: bool) -> bool:
    """Whether a Python starts inside and cannot see a file that lies outside."""
    if shutil.which("bwrap") is None or (as_root and shutil.which("setpriv") is None):
        return False
    with scratch_folder("dlcc-trial-") as folder:
        outside = folder / "outside"
        outside.touch()
        staged = folder / "staged"
        staged.mkdir()
        code = f"import os, sys; sys.exit(os.path.exists({str(outside)!r}))"
        try:
            with bubblewrap.seccomp_file() as program:
                command = bubblewrap.command(
                    [sys.executable, "-I", "-c", code], staged, program.fileno(), as_root
                )
                return _succeeds(command, (program.fileno(),))
        except OSError:
            return False


def _landlock_holds() -> bool:
    """Whether a process can lock itself, and is then refused a file that it could read before."""
    try:
        program = seccomp.program("locked")
    except OSError:
        return False
    with scratch_folder("dlcc-trial-") as folder:
        outside = folder / "outside"
        outside.write_bytes(program)
        command = [sys.executable, "-I", str(CHILD), "--trial", str(outside), *readable_paths()]
        return _succeeds(command)


def _succeeds(command: list[str], pass_fds: tuple[int, ...] = ()) -> bool:
    try:
        ended = subprocess.run(
            command,
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            pass_fds=pass_fds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0
