"""Troubles of the writing thread, raised or warned of in the training at its next row."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from dlcc.errors import RunError
from dlcc.runs.files import cannot_write
from dlcc.runs.layout import RunLayout

_CALLER = 5  # frames from a warning here to the call of `Recorder.log`


class Troubles:
    """Troubles noted by the thread that writes, told in the one that logs: an error there is seen.

    Args:
        layout: Paths of the run, whose folder exists.
        most: Bytes of series from which on no more are taken.
    """

    def __init__(self, layout: RunLayout, most: int) -> None:
        self.waiting = False
        """Whether there is something to tell."""
        self._layout = layout
        self._most = most
        self._half = most // 2
        self._size = 0
        self._warnings: list[str] = []
        self._was_refused = False
        self._moved = False
        self._folder = os.stat(layout.path)

    def refused(self, error: OSError | MemoryError) -> None:
        """Note a write that failed; the first one is told."""
        if not self._was_refused:
            self._was_refused = True
            self._warn(
                f"{cannot_write(self._layout.series, error)}; rows are kept in memory and written "
                "as soon as that works; where memory for them runs out, logging ends with an error"
            )

    def grew(self, size: int) -> None:
        """Note that so many bytes more are to be written; a warning comes at half of the limit."""
        self._size += size
        if self._size > self._half:
            self._half = self._most + 1
            self._warn(
                f"{self._layout.series}: {self._size:,} bytes, at most {self._most:,} are "
                "recorded; log fewer quantities, or every tenth step"
            )
        self.waiting |= self._size > self._most

    def check_file(self, path: Path, descriptor: int) -> None:
        """Note an open file that is no longer the one at its path."""
        self._look(path, os.fstat(descriptor))

    def check_place(self) -> None:
        """Raise an error where the run's folder is no longer the one that was opened.

        Raises:
            RunError: The folder was moved or deleted.
        """
        self._look(self._layout.path, self._folder)
        if self._moved:
            raise RunError(
                f"{self._layout.path}: the run's folder, or a file in it, was moved or deleted "
                "while it was recorded; put it back and open the recorder again, or record into "
                "another folder"
            )

    def tell(self) -> None:
        """Tell what was noted since the last time.

        Raises:
            RunError: Nothing more can be recorded.
        """
        if self._moved:
            self.check_place()
        if self._size > self._most:
            raise RunError(
                f"{self._layout.series}: {self._size:,} bytes, at most {self._most:,} are "
                "recorded; go on in another folder, with fewer quantities or every tenth step"
            )
        self.waiting = False
        while self._warnings:
            warnings.warn(self._warnings.pop(0), RuntimeWarning, stacklevel=_CALLER)

    def _look(self, path: Path, expected: os.stat_result) -> None:
        try:
            self._moved |= not os.path.samestat(os.stat(path), expected)
        except (FileNotFoundError, NotADirectoryError):
            self._moved = True
        except OSError:
            return  # a file system that does not answer says nothing
        self.waiting |= self._moved

    def _warn(self, text: str) -> None:
        self._warnings.append(text)
        self.waiting = True
