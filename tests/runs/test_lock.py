"""One process at a time records into a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlcc.errors import RunLockedError
from dlcc.runs.lock import RunLock


def duplicated(file: Path) -> int:
    """Another descriptor of an open file, as a child has that was forked and did not run yet."""
    for descriptor in Path("/proc/self/fd").iterdir():
        if descriptor.is_symlink() and descriptor.readlink() == file:
            return os.dup(int(descriptor.name))
    raise FileNotFoundError(file)


def test_released_it_is_free_though_a_child_still_has_it_open(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "lock")
    inherited = duplicated(tmp_path / "lock")
    with pytest.raises(RunLockedError):
        RunLock(tmp_path / "lock")
    lock.release()
    lock.release()
    RunLock(tmp_path / "lock").release()
    os.close(inherited)


def test_what_a_child_forgets_stays_locked(tmp_path: Path) -> None:
    lock = RunLock(tmp_path / "lock")
    kept = duplicated(tmp_path / "lock")
    lock.forget()
    with pytest.raises(RunLockedError):
        RunLock(tmp_path / "lock")
    os.close(kept)
