"""One process at a time records into a run."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from dlcc.errors import RunLockedError
from dlcc.runs.files import cannot_write
from dlcc.runs.forks import forget_in_children


class RunLock:
    """An flock(2) on a file of the run; the kernel releases it when the process ends in any way.

    Raises:
        RunLockedError: another recorder holds it, in this process or in another one.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            if not isinstance(error, BlockingIOError):
                raise cannot_write(path, error) from error
            raise RunLockedError(
                f"{path.parent}: another recorder is writing to this run; "
                "close it, or record into another folder"
            ) from None
        forget_in_children(self)

    def release(self) -> None:
        """Let others record, also where a child has not yet let go; twice does nothing."""
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        self.forget()

    def forget(self) -> None:
        """Close the descriptor; the lock itself stays as long as another process has it open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
