"""Files under a folder of a run: `source/`, `documents/`."""

from __future__ import annotations

import os
from pathlib import Path

from dlcc.errors import RunError


def files_under(run: Path, name: str) -> dict[str, Path]:
    """Find the regular files under the run's folder `name`, sorted by their path in the run.

    Raises:
        RunError: A link leads out of the folder, or nowhere.
    """
    folder, inside = run / name, os.path.join(os.path.realpath(run), name)
    if folder.is_symlink():
        raise RunError(f"{folder}: a link; replace it with a copy of what it leads to")
    files = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if not Path(_leads_to(path)).is_relative_to(inside):
            raise RunError(f"{path}: a link that leads out of {name}/; replace it with a copy")
        if path.is_file():
            files[path.relative_to(run).as_posix()] = path
    return files


def _leads_to(path: Path) -> str:
    try:
        return os.path.realpath(path, strict=path.is_symlink())
    except FileNotFoundError:
        return os.path.realpath(path)
    except OSError as error:
        raise RunError(
            f"{path}: a link that cannot be followed ({error.strerror}); remove it"
        ) from None
