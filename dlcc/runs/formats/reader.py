"""Interface of a reader: how it finds another tool's records, and the raw table of one."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from dlcc.errors import RunError
from dlcc.runs.files import opened_regular
from dlcc.runs.raw_table import RawTable

HEAD_BYTES = 1 << 16
_MOST_FILES = 100_000
_DEEPEST = 12
_NEVER_RECORDS = frozenset(
    [
        ".pt",
        ".pth",
        ".ckpt",
        ".pkl",
        ".pickle",
        ".bin",
        ".safetensors",
        ".h5",
        ".hdf5",
        ".onnx",
        ".npy",
        ".npz",
        ".png",
        ".jpg",
        ".jpeg",
        ".gif",
        ".webp",
        ".bmp",
        ".mp4",
        ".wav",
        ".flac",
        ".mp3",
        ".zip",
        ".gz",
        ".tar",
        ".7z",
        ".py",
        ".pyc",
        ".ipynb",
        ".so",
        ".dll",
        ".exe",
        ".md",
        ".html",
        ".pdf",
        ".css",
        ".js",
        ".svg",
        ".cu",
        ".cpp",
        ".h",
        ".tfrecord",
        ".mdb",
        ".lock",
    ]
)
"""File name endings that no reader asks for: weights, pictures, code, archives."""


@dataclass(frozen=True)
class FoundFile:
    """File that a folder holds; its head is read when it is asked for."""

    path: Path

    @cached_property
    def head(self) -> bytes:
        """First bytes of the file, at most `HEAD_BYTES`; empty where it cannot be read."""
        try:
            with opened_regular(self.path, RunError) as stream:
                return stream.read(HEAD_BYTES)
        except RunError:
            return b""

    @cached_property
    def is_text(self) -> bool:
        """Whether the head reads as text in UTF-8, and is not empty."""
        head = self.head
        if not head or head.count(b"\0"):
            return False
        try:
            head.decode("utf-8")
        except UnicodeDecodeError as error:
            return error.start > len(head) - 4 or _mostly_text(head)
        return True

    @property
    def name(self) -> str:
        """Name of the file without its folder."""
        return self.path.name


def _mostly_text(head: bytes) -> bool:
    """Whether few bytes are of another encoding: logs hold names and units in Latin-1."""
    return sum(byte < 9 or 13 < byte < 27 for byte in head) == 0


@dataclass(frozen=True)
class Listing:
    """Files of a folder and of those in it, or one file that was named itself."""

    root: Path
    files: tuple[FoundFile, ...]
    left_out: tuple[str, ...] = ()
    """Sentences on what was not looked at."""

    @classmethod
    def of(cls, path: Path) -> Listing:
        """List a folder, without following links to folders, or a file.

        Args:
            path: Folder or file.

        Returns:
            Files whose names can be those of records, sorted by their path; hidden folders, and
            what lies more than twelve folders deep, are left out.
        """
        if not path.is_dir():
            return cls(path.parent, (FoundFile(path),))
        found: list[FoundFile] = []
        left_out: list[str] = []
        root_depth = len(path.parts)
        for folder, folders, names in os.walk(path):
            here = Path(folder)
            if len(here.parts) - root_depth >= _DEEPEST:
                left_out.append(f"{here}: lies more than {_DEEPEST} folders deep, not looked at")
                folders.clear()
            folders[:] = sorted(f for f in folders if f[:1] != "." and f != "__pycache__")
            for name in sorted(names):
                if Path(name).suffix.lower() in _NEVER_RECORDS or name[:1] == ".":
                    continue
                if (here / name).is_symlink():  # it may lead anywhere
                    left_out.append(f"{here / name}: a link, not followed")
                    continue
                found.append(FoundFile(here / name))
            if len(found) > _MOST_FILES:
                left_out.append(
                    f"{path}: more than {_MOST_FILES:,} files, the rest is not looked at"
                )
                break
        return cls(path, tuple(found), tuple(left_out))

    def without(self, taken: set[Path]) -> Listing:
        """Leave out files that another reader has claimed.

        Args:
            taken: Paths of those files.

        Returns:
            Listing of the others.
        """
        rest = tuple(file for file in self.files if file.path not in taken)
        return Listing(self.root, rest, self.left_out)


@dataclass(frozen=True)
class FoundRecord:
    """Record that a reader found: the files of one run, not yet read."""

    reader: Reader = field(repr=False)
    folder: Path
    """Folder that the run is named after."""
    files: tuple[Path, ...]
    """Files of the record, in the order in which they are read."""
    part: str = ""
    """Name of the run within the files, where they hold several; shown, and given to --run."""
    beside: tuple[Path, ...] = ()
    """Files of the same run that hold its configuration."""
    said: tuple[str, ...] = ()
    """Sentences on what was seen beside it and is no record, such as runs without a number."""

    def read(self) -> RawTable:
        """Read the record.

        Returns:
            Raw table of all that can be read; damage is in its notes.

        Raises:
            RunError: Nothing of it can be read.
        """
        return self.reader.read(self)


class Reader(ABC):
    """Reader of one format of another tool. Found by the entry point group `dlcc.readers`."""

    title: ClassVar[str]
    """Format in words, such as "TensorBoard event files"."""
    rank: ClassVar[int] = 50
    """Order in which readers are asked, least first: those that know their files for certain come
    before those that take any text."""

    @abstractmethod
    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        """Find the records of this format, by content rather than by name.

        Args:
            listing: Files that no reader of lower rank has claimed.

        Yields:
            Records; two never share a file, but for parts of one file.
        """

    @abstractmethod
    def read(self, record: FoundRecord) -> RawTable:
        """Read one record that this reader found.

        Args:
            record: Record to read. All files are hostile until proven otherwise: sizes are bounded
                before memory is asked for, and damage costs the rows from there on, not the rest.

        Returns:
            Raw table.

        Raises:
            RunError: Nothing can be read; one sentence with file, place, and what to do.
        """
