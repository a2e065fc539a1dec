"""Source of the function that builds a training: its entry point, and the files to record."""

from __future__ import annotations

import inspect
import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dlcc.errors import OptionError

_INSTALLED = {"site-packages", "dist-packages"}


def source_of(build: Callable[..., Any]) -> tuple[str, list[Path]]:
    """Find where a run's training is built from, and what has to be recorded to build it again.

    Args:
        build: Function or class at the top level of a file, which takes the configuration.

    Returns:
        Entry point in the run, `source/train.py:build`; and the files to copy into `source/`: that
        of the function, and those of the modules that were imported from its folder so far.

    Raises:
        OptionError: The function is a lambda, is defined within another one, or in no file.

    >>> from dlcc.recipes.small_gan.training import build
    >>> entry, files = source_of(build)
    >>> entry, files[0].name
    ('source/training.py:build', 'training.py')
    """
    name = getattr(build, "__qualname__", "")
    try:
        file = Path(inspect.getsourcefile(build) or "")
    except TypeError:
        file = Path()
    if not name.isidentifier() or not file.is_file():
        raise OptionError(
            f"build={build!r:.80}: expected a function at the top level of a file, so that the run "
            "can hold the file; define it there"
        )
    file = file.resolve()
    return f"source/{file.name}:{name}", [file, *_beside(file, sys.modules.values())]


def _beside(file: Path, modules: Iterable[types.ModuleType]) -> list[Path]:
    """Files of modules that were imported from the folder of a file."""
    found: dict[Path, None] = {}
    for module in list(modules):
        name = getattr(module, "__file__", None)
        if not isinstance(name, str) or not name.endswith(".py"):
            continue
        path = Path(name).resolve()
        if path != file and path.is_relative_to(file.parent):
            parts = path.relative_to(file.parent).parts
            # an environment may lie in the folder too; what is the user's own is imported by the
            # name that it has there
            if not _INSTALLED & set(parts) and module.__name__.split(".")[0] == Path(parts[0]).stem:
                found[path] = None
    return sorted(found)
