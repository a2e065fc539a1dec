"""What installed packages bring by entry points: stages, formats, kinds, recipes; and their pages.

This package's own come the same way.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dlcc.errors import PluginError

GROUPS = ("dlcc.stages", "dlcc.formats", "dlcc.kinds", "dlcc.recipes")


@cache
def loaded(group: str) -> dict[str, Any]:
    """Every object of a group by the name of its entry point, this package's own first.

    Raises:
        PluginError: one cannot be imported, or two have the same name.
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
    """The folders of the packages that bring anything, this one's first; none is imported."""
    names = dict.fromkeys(
        point.module.partition(".")[0] for group in GROUPS for point in _points(group)
    )
    specs = [find_spec(name) for name in names]
    return tuple(
        Path(folder)
        for spec in specs
        if spec is not None
        for folder in spec.submodule_search_locations or ()
    )


def _points(group: str) -> list[EntryPoint]:
    own = f"{__name__.partition('.')[0]}."
    return sorted(entry_points(group=group), key=lambda p: (not p.value.startswith(own), p.name))
