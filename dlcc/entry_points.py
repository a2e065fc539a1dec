"""Entry points: the stages, formats, kinds and recipes of installed packages, and their pages.

This package's own come the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlcc.errors import PluginError

GROUPS = ("dlcc.stages", "dlcc.formats", "dlcc.readers", "dlcc.kinds", "dlcc.recipes")


@cache
def loaded(group: str) -> dict[str, Any]:
    """Load every object of a group by the name of its entry point, this package's own first.

    Raises:
        PluginError: An object cannot be imported, or two have the same name.
    """
    found: dict[str, Any] = {}
    for point in _points(group):
        if point.name in found:
            raise PluginError(
                f"two entry points of group {group} are named {point.name!r}, one of them from "
                f"{point.value}; uninstall one of the packages that bring them"
            )
        try:
            found[point.name] = point.load()
        except Exception as error:
            raise PluginError(
                f"entry point {point.name!r} of group {group} cannot be loaded from {point.value}: "
                f"{type(error).__name__}: {error}; mend or uninstall the package that brings it"
            ) from error
    return found


@cache
def package_folders() -> tuple[Path, ...]:
    """Folders of the packages that bring anything, and of their modules, this one's first.

    Nothing is imported to find them.
    """
    modules = dict.fromkeys(point.module for group in GROUPS for point in _points(group))
    folders = (folder for module in modules for folder in _folders_of(module))
    return tuple(dict.fromkeys(folders))


def _folders_of(module: str) -> Iterator[Path]:
    """Folders from the top one of a module's package down to that of the module itself."""
    top, *parts = module.split(".")
    spec = find_spec(top)
    if spec is None:
        return
    if spec.submodule_search_locations is None and spec.origin is not None:
        yield Path(spec.origin).parent
    for folder in map(Path, spec.submodule_search_locations or ()):
        below = [folder.joinpath(*parts[:k]) for k in range(len(parts) + 1)]
        yield from (path for path in below if path.is_dir())


def _points(group: str) -> list[EntryPoint]:
    own = f"{__name__.partition('.')[0]}."
    return sorted(entry_points(group=group), key=lambda p: (not p.value.startswith(own), p.name))
