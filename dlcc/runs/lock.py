"""Lock of a run: one process at a time records into it."""

from __future__ import annotations

import os
from pathlib import Path

from dlcc.engine.file_lock import lock_file, unlock_file
from dlcc.errors import RunLockedError
from dlcc.runs.files import cannot_write
from dlcc.runs.forks import forget_in_children


class RunLock:
    """Lock on a file of the run; the kernel releases it when the process ends.

    Raises:
        RunLockedError: Another recorder holds it, in this process or in another one.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            lock_file(self._descriptor, wait=False)
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
        """Release the lock, also where a forked child still has it open; a second call does
        nothing."""
        if self._descriptor >= 0:
            unlock_file(self._descriptor)
        self.forget()

    def forget(self) -> None:
        """Close the descriptor; the lock itself stays as long as another process has it open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
