"""Registry of recipes: this package's, and those that other installed packages bring."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from dlcc.entry_points import loaded
from dlcc.errors import OptionError, PluginError, did_you_mean
from dlcc.recipes.recipe import Recipe

GROUP = "dlcc.recipes"
"""Group of entry points under which packages bring sequences of recipes."""


@cache
def recipes() -> Mapping[str, Recipe]:
    """Find all recipes by name, this package's first; an entry point names a sequence of them.

    Returns:
        Name to recipe.

    Raises:
        PluginError: an installed package brings what is no recipe, or a name that is taken.

    >>> [name for name in recipes() if name.startswith("grid")]
    ['grid9', 'grid25']
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
    """Find a recipe by its name.

    Args:
        name: Name as `dlcc recipes` lists it, such as "ring".

    Returns:
        The recipe.

    Raises:
        OptionError: there is no recipe of this name; the message lists the names.
        PluginError: an installed package brings what is no recipe, or a name that is taken.

    >>> get_recipe("ring").configure({"steps": 500})["steps"]
    500
    """
    known = recipes()
    if name not in known:
        raise OptionError(
            f"there is no recipe {name!r}{did_you_mean(name, known)}: choose one of "
            f"{', '.join(known)}"
        )
    return known[name]
