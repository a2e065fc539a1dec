"""The files under a folder of a run: `source/`, `documents/`."""

from __future__ import annotations

from pathlib import Path

from dlcc.errors import RunError


def files_under(run: Path, name: str) -> dict[str, Path]:
    """Regular files under the run's folder `name` by their path in the run, sorted.

    Raises:
        RunError: a link leads out of the folder.
    """
    folder, inside = run / name, run.resolve() / name
    if folder.is_symlink():
        raise RunError(f"{folder}: a link; replace it with a copy of what it leads to")
    files = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if not path.resolve().is_relative_to(inside):
            raise RunError(f"{path}: a link that leads out of {name}/; replace it with a copy")
        if path.is_file():
            files[path.relative_to(run).as_posix()] = path
    return files
