"""Results of jobs in a folder, a file each under its address: what is there is not done again."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from dlcc.engine.engines import Engine
from dlcc.engine.jobs import Job
from dlcc.errors import OutputError
from dlcc.typing import Progress

_WRITING = ".writing"


def complete(
    jobs: Sequence[Job],
    folder: Path,
    engine: Engine,
    progress: Progress = lambda share, what: None,
    what: str = "jobs",
) -> list[Path]:
    """Do the jobs whose results are not in a folder yet.

    A result is written beside its name and renamed, so that a kill at any instant leaves whole
    results alone; the next call goes on from there.

    Args:
        jobs: Jobs that do not depend on each other, whose results are bytes.
        folder: Folder of the results, made if missing.
        engine: Engine that does them.
        progress: Function that is called with the share done and, in words, how many, how fast and
            how long it will still take.
        what: Name of the work for `progress`.

    Returns:
        File of each job's result, in the order of the jobs.

    Raises:
        OutputError: The folder cannot be written.

    >>> import base64, tempfile
    >>> from dlcc.engine.engines import engine_of
    >>> jobs = [Job(base64.b64encode, {}, {"s": text}, content=str(text)) for text in (b"a", b"b")]
    >>> with tempfile.TemporaryDirectory() as name:
    ...     [file.read_bytes() for file in complete(jobs, Path(name), engine_of("local"))]
    [b'YQ==', b'Yg==']
    """
    files = [folder / job.address for job in jobs]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(folder)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    missing = [k for k, file in enumerate(files) if not file.exists()]
    started = time.monotonic()
    if missing:
        progress(0.0, f"{what}: 0 of {len(missing)}, {engine.words}")
    with contextlib.closing(engine.run([jobs[k] for k in missing])) as results:
        for done, (number, content) in enumerate(results, start=1):
            write_result(files[missing[number]], content)
            progress(done / len(missing), _said(what, done, len(missing), started))
    return files


def _said(what: str, done: int, number: int, started: float) -> str:
    """Say how many are done, how fast, and how long the others will take."""
    taken = max(time.monotonic() - started, 1e-9)
    rate = done / taken
    left = (number - done) / rate
    shown = f"{left / 3600:.1f} h" if left > 3600 else f"{left / 60:.0f} min"
    return f"{what}: {done} of {number}, {60 * rate:.3g} a minute, {shown} left"


def write_result(file: Path, content: bytes) -> None:
    """Write a result whole or not at all.

    Args:
        file: File of the result.
        content: Its bytes.

    Raises:
        OutputError: The file cannot be written.
    """
    beside = file.with_name(f".{file.name}.{os.getpid()}{_WRITING}")
    try:
        with beside.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(file)
    except OSError as error:
        raise _cannot_write(file, error) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _remove_leftovers(folder: Path) -> None:
    """Remove what processes that are gone were writing."""
    for path in folder.glob(f".*{_WRITING}"):
        pid = path.name.removesuffix(_WRITING).rpartition(".")[2]
        if not (pid.isdigit() and psutil.pid_exists(int(pid))):
            path.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path}: cannot be written ({error.strerror}); free some space there")
