"""Source files and documents that are copied into a run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from dlcc.errors import OptionError, RunError
from dlcc.runs.files import written_whole

_LEFT_OUT = {"__pycache__", ".git"}


def attach(
    paths: Iterable[str | Path],
    folder: Path,
    written: Callable[[Path], None],
    within: Path | None = None,
) -> None:
    """Copy files, and folders with their content, into a folder of the run.

    A copy that is there already is kept: the early rows were made with it.

    Args:
        paths: Files and folders to copy.
        folder: Folder of the run that gets the copies.
        written: Callback, called with the path of each copy that was made.
        within: Folder that the paths lie in and whose order of folders the copies keep; by default
            each path's last part is the name of its copy.

    Raises:
        OptionError: There is no such file, or two files have one name.
        RunError: A file differs from the copy that the run holds; or the system refused a write.
    """
    if isinstance(paths, (str, Path)):
        raise OptionError(f"expected a sequence of paths, found one path {str(paths)!r}")
    targets: dict[Path, Path] = {}
    for path in paths:
        for source, relative in _files(Path(path)):
            target = folder / (relative if within is None else source.relative_to(within))
            if targets.setdefault(target, source) != source:
                raise OptionError(f"{source}: has the same name as {targets[target]}; rename one")
    for target, source in targets.items():
        if not target.exists():
            with written_whole(target) as temporary:
                shutil.copyfile(source, temporary)
            written(target)
        elif target.read_bytes() != source.read_bytes():
            raise RunError(
                f"{source}: differs from {target}, with which the run was begun; "
                "record into another folder, or leave it out to go on with the recorded one"
            )


def _files(path: Path) -> Iterator[tuple[Path, Path]]:
    """Iterate over the files of a path, each with its place in the copy."""
    if path.is_file():
        yield path, Path(path.name)
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            relative = file.relative_to(path)
            if file.is_file() and _LEFT_OUT.isdisjoint(relative.parts):
                yield file, path.resolve().name / relative
    else:
        raise OptionError(f"{path}: no such file or folder to copy into the run")
