"""Journal digests.txt: checksums of every file of a run that is written once (docs/run-format.md).

Each line says what a file is from now on, or that it is no longer listed. A file is written first
and listed then, and taken off the list before it is replaced or moved: a kill at any instant leaves
files that are not listed, and never one that is listed wrongly.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import xxhash

from dlcc.errors import RunError
from dlcc.runs.files import BINARY, cannot_write, opened_regular, read_regular, sync
from dlcc.runs.layout import RunLayout
from dlcc.runs.tensors import Digest

_MAX_BYTES = 64 * 2**20
_CHUNK = 2**22


class _Stamp(NamedTuple):
    """Attributes of a file that change when the file does."""

    device: int
    inode: int
    size: int
    changed: int


class Digests:
    """List of one run's checksums, read anew whenever it has grown: a recording goes on writing.

    Args:
        layout: Paths of the run folder.
    """

    def __init__(self, layout: RunLayout) -> None:
        self._layout = layout
        self._stamp: _Stamp | None = None
        self._listed: Mapping[str, Digest] = {}
        self._checked: dict[str, tuple[Digest, _Stamp]] = {}

    @property
    def there(self) -> bool:
        """Whether the run has a list; earlier versions wrote none."""
        return self._layout.digests.exists()

    def listed(self) -> Mapping[str, Digest]:
        """Digests by path in the run. A series has that of its header, for its rows grow.

        Raises:
            RunError: The list is damaged.
        """
        stamp = _stamp(self._layout.digests)
        if stamp is None:
            self._listed = {}
        elif stamp != self._stamp:
            self._listed, _ = _parsed(
                self._layout.digests, read_regular(self._layout.digests, _MAX_BYTES, RunError)
            )
        self._stamp = stamp
        return self._listed

    def check(self, path: Path, kind: type[RunError] = RunError) -> None:
        """Compare a file with the list, where the file is on it.

        Raises:
            RunError: The file is gone, or it differs; of the class `kind`.
        """
        name = self._name(path)
        while (expected := self.listed().get(name)) is not None:
            stamp = _stamp(path)
            if stamp is not None and self._checked.get(name) == (expected, stamp):
                return
            found = None if stamp is None else _digest(path, expected.bytes, kind)
            if found == expected and stamp is not None:
                self._checked[name] = expected, stamp
                return
            if self.listed().get(name) == expected:  # it was not replaced in between
                what = "is gone" if found is None else "differs from what was recorded"
                raise kind(
                    f"{path}: {what}, by {self._layout.digests.name}; restore it from a copy, or "
                    f"take {self._lines_of(name)} out of {self._layout.digests.name} to go on "
                    "without"
                )

    def _lines_of(self, name: str) -> str:
        """Advice on what to remove when a damaged file is given up: its whole snapshot, if it is of
        one."""
        folder = name.rpartition("/")[0]
        whole = folder.startswith(f"{self._layout.snapshots.name}/")
        return f"the lines of {folder}/" if whole else "its line"

    def check_there(self, *folders: Path, kind: type[RunError] = RunError) -> None:
        """Compare the names on the list with the content of these folders.

        Raises:
            RunError: A file that is listed is gone; of the class `kind`.
        """
        below = tuple(f"{self._name(folder)}/" for folder in folders)
        for name in sorted(self.listed()):
            path = self._layout.path / name
            if name.startswith(below) and not os.path.lexists(path):
                self.check(path, kind)

    def not_listed(self, paths: Iterable[Path]) -> list[str]:
        """Names of those files that are not on the list."""
        listed = self.listed()
        return [name for path in paths if (name := self._name(path)) not in listed]

    def add(self, path: Path, digest: Digest | None = None) -> None:
        """List a file that was just written.

        Args:
            path: File to list.
            digest: Digest of the file, where it is known; otherwise it is computed.

        Raises:
            RunError: The system refused the write.
        """
        digest = digest or _digest(path, None, RunError)
        self._append(
            [{"path": self._name(path), "bytes": digest.bytes, "xxh3_128": digest.xxh3_128}]
        )

    def drop(self, *paths: Path) -> None:
        """Take files, and all that lies below folders, off the list before they change.

        Raises:
            RunError: The system refused the write.
        """
        names = [self._name(path) for path in paths]
        below = tuple(f"{name}/" for name in names)
        gone = [n for n in self.listed() if n in names or n.startswith(below)]
        if gone:
            self._append([{"path": name} for name in gone])

    def mend(self) -> None:
        """Cut off a last line that a kill left incomplete, before other lines follow.

        Raises:
            RunError: The list is damaged elsewhere.
        """
        path = self._layout.digests
        if not path.exists():
            return
        data = read_regular(path, _MAX_BYTES, RunError)
        _, intact = _parsed(path, data)
        if intact < len(data):
            os.truncate(path, intact)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._layout.path).as_posix()

    def _append(self, entries: Iterable[Mapping[str, str | int]]) -> None:
        lines = "".join(_line(entry) for entry in entries).encode()
        path = self._layout.digests
        try:
            created = not path.exists()
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | BINARY, 0o644)
            try:
                end = os.fstat(descriptor).st_size
                try:
                    if os.write(descriptor, lines) < len(lines):
                        raise OSError(None, "a short write")
                    os.fsync(descriptor)
                except OSError:
                    os.ftruncate(descriptor, end)
                    raise
            finally:
                os.close(descriptor)
            if created:
                sync(path.parent)
        except OSError as error:
            raise cannot_write(path, error) from error


def _line(entry: Mapping[str, str | int]) -> str:
    text = json.dumps(entry)
    return f"{xxhash.xxh3_64_hexdigest(text.encode())} {text}\n"


def _parsed(path: Path, data: bytes) -> tuple[dict[str, Digest], int]:
    """Digests that the lines add up to, and the number of bytes up to the end of the last whole
    line."""
    listed: dict[str, Digest] = {}
    intact = 0
    for number, line in enumerate(data.splitlines(keepends=True), 1):
        entry = _entry(line)
        if entry is None:
            if intact + len(line) == len(data):
                break  # a kill, or a power cut, in the middle of it
            raise RunError(
                f"{path}: line {number} differs from its checksum; restore the file from a copy, "
                "or remove it to go on without"
            )
        name, digest = entry
        if digest is None:
            listed.pop(name, None)
        else:
            listed[name] = digest
        intact += len(line)
    return listed, intact


def _entry(line: bytes) -> tuple[str, Digest | None] | None:
    """Path and digest in a line; no digest where the file is no longer listed, None for no valid
    line."""
    checksum, space, text = line.rstrip(b"\n").partition(b" ")
    if not space or not line.endswith(b"\n"):
        return None
    if xxhash.xxh3_64_hexdigest(text).encode() != checksum:
        return None
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match entry:
        case {"path": str() as name, "bytes": int() as size, "xxh3_128": str() as digest}:
            return (name, Digest(size, digest)) if _inside(name) else None
        case {"path": str() as name} if len(entry) == 1:
            return (name, None) if _inside(name) else None
    return None


def _inside(name: str) -> bool:
    return bool(name) and not {"", ".", ".."} & set(name.split("/"))


def _stamp(path: Path) -> _Stamp | None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _digest(path: Path, expected: int | None, kind: type[RunError]) -> Digest:
    """Digest of a file, or of the first bytes of a series; files of an unexpected size are not
    read."""
    state = xxhash.xxh3_128()
    with opened_regular(path, kind) as file:
        size = os.fstat(file.fileno()).st_size
        if path.suffix == ".series" and expected is not None:
            size = min(size, expected)
        if expected is not None and size != expected:
            return Digest(size, "")
        left = size
        while left and (chunk := file.read(min(_CHUNK, left))):
            state.update(chunk)
            left -= len(chunk)
    return Digest(size - left, state.hexdigest())
