"""Locks on open files, which the system releases when the process ends, where it has such locks."""

from __future__ import annotations

import os
import sys
from types import ModuleType

fcntl: ModuleType | None
try:
    import fcntl
except ImportError:  # as on Windows
    fcntl = None

CAN_LOCK = fcntl is not None or sys.platform == "win32"
"""Whether there are locks; without them whoever asks for one gets it."""
_PLACE = 2**31 - 2  # byte beyond every end that Windows locks: nobody else may read it then


def lock_file(descriptor: int, *, wait: bool) -> None:
    """Lock an open file against others that lock it.

    Args:
        descriptor: Descriptor of the file.
        wait: Whether to wait until the lock is free.

    Raises:
        BlockingIOError: Another one holds the lock, and `wait` is false.
        OSError: The file system has no locks.

    >>> import tempfile
    >>> with tempfile.TemporaryFile() as file:
    ...     lock_file(file.fileno(), wait=False)
    ...     unlock_file(file.fileno())
    """
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    elif sys.platform == "win32":
        _on_windows(descriptor, "LK_LOCK" if wait else "LK_NBLCK")


def unlock_file(descriptor: int) -> None:
    """Release the lock on an open file.

    Args:
        descriptor: Descriptor of the file.

    Raises:
        OSError: The file is closed.
    """
    if fcntl is not None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    elif sys.platform == "win32":
        _on_windows(descriptor, "LK_UNLCK")


def _on_windows(descriptor: int, how: str) -> None:
    import msvcrt

    place = os.lseek(descriptor, 0, os.SEEK_CUR)
    os.lseek(descriptor, _PLACE, os.SEEK_SET)
    try:
        getattr(msvcrt, "locking")(descriptor, getattr(msvcrt, how), 1)  # noqa: B009  # of Windows
    except PermissionError as error:
        raise BlockingIOError(*error.args) from error
    finally:
        os.lseek(descriptor, place, os.SEEK_SET)
