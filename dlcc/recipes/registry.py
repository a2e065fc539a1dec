"""The trainings that one can run by name: this package's, and those that others installed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from dlcc.entry_points import loaded
from dlcc.errors import OptionError, PluginError
from dlcc.recipes.recipe import Recipe

GROUP = "dlcc.recipes"


@cache
def recipes() -> Mapping[str, Recipe]:
    """All recipes by name, this package's first. An entry point names a sequence of them.

    Raises:
        PluginError: an installed package brings what is no recipe, or a name that is taken.
    """
    found: dict[str, Recipe] = {}
    for point, brought in loaded(GROUP).items():
        for recipe in brought if isinstance(brought, tuple | list) else (brought,):
            if not isinstance(recipe, Recipe):
                raise PluginError(
                    f"entry point {point!r} of group {GROUP}: expected a sequence of Recipe, found "
                    f"{recipe!r}"
                )
            if recipe.name in found:
                raise PluginError(f"two installed recipes are named {recipe.name!r}")
            found[recipe.name] = recipe
    return found


def get_recipe(name: str) -> Recipe:
    """The recipe of this name; OptionError, which lists the names, where there is none."""
    known = recipes()
    if name not in known:
        raise OptionError(f"there is no recipe {name!r}: choose one of {', '.join(known)}")
    return known[name]
