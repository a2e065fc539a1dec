"""Scratch folders whose leftovers are found later: a process that is killed removes nothing.

Each holds a file that its process keeps locked with flock(2), which the kernel releases when the
process ends in any way. A later call removes the folders whose lock is free. `/tmp` is everybody's:
only real folders of this user with such a file are touched, and no link is followed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dlcc.engine.file_lock import CAN_LOCK, lock_file

__all__ = ["remove_leftovers", "scratch_folder"]

PREFIX = "dlcc-"
BESIDE = ".new-"
"""Prefix of folders that lie where their files are to go."""
_LOCK = ".dlcc-owner"
_CONTENT = "content"
_CLEANED: set[tuple[str, str]] = set()
_CAN_TELL = CAN_LOCK and hasattr(os, "O_DIRECTORY") and os.open in os.supports_dir_fd
"""Whether a leftover can be told from a folder in use, and removed without following a link."""


@contextlib.contextmanager
def scratch_folder(prefix: str = PREFIX, beside: Path | None = None) -> Iterator[Path]:
    """Make an empty folder, removed at the end, in `beside` or where temporary files go.

    Leftovers of the same prefix are removed from there first, once a process.

    Args:
        prefix: Beginning of the folder's name.
        beside: Folder to make it in; by default where temporary files go.

    Yields:
        Path of the folder.

    Raises:
        OSError: The folder cannot be made.

    >>> with scratch_folder() as folder:
    ...     _ = (folder / "notes.txt").write_text("gone soon")
    >>> folder.exists()
    False
    """
    parent = Path(tempfile.gettempdir()) if beside is None else beside
    remove_leftovers(beside, PREFIX if beside is None else prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    lock = -1
    try:
        lock = _locked(folder)
        content = folder / _CONTENT
        content.mkdir()
        yield content
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock >= 0:
            os.close(lock)


def remove_leftovers(beside: Path | None = None, prefix: str = PREFIX) -> None:
    """Remove, once a process, the folders `prefix...` whose process is gone.

    What cannot be removed stays; nothing is raised.

    Args:
        beside: Folder that they lie in; by default where temporary files go.
        prefix: Beginning of their names.

    >>> with tempfile.TemporaryDirectory() as parent:
    ...     kept = Path(parent, "dlcc-of-another")  # no lock of ours in it
    ...     kept.mkdir()
    ...     remove_leftovers(Path(parent))
    ...     kept.exists()
    True
    """
    parent = Path(tempfile.gettempdir()) if beside is None else beside
    if (str(parent), prefix) in _CLEANED or not _CAN_TELL:
        return
    _CLEANED.add((str(parent), prefix))
    with contextlib.suppress(OSError):
        above = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            names = [name for name in os.listdir(above) if name.startswith(prefix)]
            for name in names:
                with contextlib.suppress(OSError):
                    _remove_if_left(above, name)
        finally:
            os.close(above)


def _locked(folder: Path) -> int:
    """Lock a folder and return the descriptor; the lock's file is locked before it appears."""
    if not _CAN_TELL:
        return -1
    made = folder / f"{_LOCK}.new"
    lock = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    lock_file(lock, wait=True)
    made.rename(folder / _LOCK)
    return lock


def _remove_if_left(above: int, name: str) -> None:
    with contextlib.ExitStack() as stack:

        def opened(path: str, flags: int, within: int) -> int:
            descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=within)
            stack.callback(os.close, descriptor)
            return descriptor

        folder = opened(name, os.O_RDONLY | os.O_DIRECTORY, above)
        if os.fstat(folder).st_uid != os.geteuid():
            return
        lock = opened(_LOCK, os.O_RDWR, folder)
        held = os.fstat(lock)
        if held.st_uid != os.geteuid() or not stat.S_ISREG(held.st_mode):
            return
        lock_file(lock, wait=False)  # BlockingIOError: its owner lives
        shutil.rmtree(name, dir_fd=above, ignore_errors=True)
