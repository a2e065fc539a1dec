"""Files that appear whole or not at all, and safe reading of files that others made."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

from dlcc.errors import RunError
from dlcc.runs.layout import beside

BINARY: int = getattr(os, "O_BINARY", 0)
"""Flag of `os.open` without which Windows changes line ends."""


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a name beside `path` to write to; on leaving the block, sync it and rename it to `path`.

    If the block raises, or the disk is full, `path` stays as it was and nothing is left behind.

    Raises:
        RunError: The system refused the write.
    """
    temporary = beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a small UTF-8 file whole."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def opened_regular(path: Path, kind: type[RunError]) -> Iterator[BufferedReader]:
    """Open a regular file for reading; an OSError inside the block becomes a fault of the file.

    A folder from elsewhere may hold pipes that nobody writes to and devices that never end.

    Raises:
        RunError: There is no such file, or it cannot be read; of the class `kind`.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | BINARY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise kind(f"{path}: missing; restore it from a copy") from None
    except OSError as error:
        raise kind(f"{path}: cannot be read ({error.strerror}); check its rights") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise kind(f"{path}: expected a regular file; replace it with one")
        with open(descriptor, "rb", closefd=False) as file:
            yield file
    except OSError as error:
        raise kind(f"{path}: cannot be read ({error.strerror}); check the disk") from error
    finally:
        os.close(descriptor)


def read_regular(path: Path, max_bytes: int, kind: type[RunError]) -> bytes:
    """Read a regular file of bounded size.

    Raises:
        RunError: The file is missing, unreadable or larger than `max_bytes`; of the class `kind`.
    """
    with opened_regular(path, kind) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise kind(
                f"{path}: {size} bytes, expected at most {max_bytes}; "
                "it is not what a recorder writes"
            )
        return file.read(size)


def write_all(descriptor: int, data: bytes, offset: int) -> None:
    """Write at an offset; a short write is continued, so that a full disk raises an error."""
    written = 0
    while written < len(data):
        written += _write_at(descriptor, data[written:], offset + written)


def _write_at(descriptor: int, data: bytes, offset: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, data, offset)
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.write(descriptor, data)


def sync(path: Path) -> None:
    """Have the system put a file or a folder on the disk: fsync(2)."""
    if os.name == "nt" and path.is_dir():  # cannot be opened there
        return
    descriptor = os.open(path, os.O_RDWR | BINARY if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cannot_write(path: Path, error: OSError | MemoryError) -> RunError:
    """Make the error for a write that the system refused."""
    reason = error.strerror if isinstance(error, OSError) else "out of memory"
    return RunError(
        f"{path}: cannot be written ({reason or error}); "
        "free some space or record into another folder"
    )
