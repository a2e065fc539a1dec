"""The trainings that one can run by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from dlcc.errors import OptionError
from dlcc.recipes import small_gan


@dataclass(frozen=True)
class Option:
    """A key of a recipe's configuration."""

    key: str
    default: Any
    help: str
    choices: tuple[str, ...]
    """What it may be; empty for numbers."""
    low: float
    high: float
    """Bounds of a number, both allowed."""

    @property
    def allowed(self) -> str:
        """The choices or the range in words."""
        if self.choices:
            return ", ".join(self.choices)
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Recipe:
    """A training by name: a data set, and the code that trains on it."""

    name: str
    description: str
    data: str
    module: ModuleType
    """Its `build(config)` makes the training, its file is the run's `source/train.py`."""

    @property
    def source(self) -> Path:
        """The file with the training's code, complete in itself."""
        return Path(str(self.module.__file__))

    @property
    def options(self) -> tuple[Option, ...]:
        """The keys one may set, with defaults and ranges."""
        return tuple(
            Option(entry.name, entry.default, **entry.metadata)
            for entry in dataclasses.fields(self.module.Config)
            if entry.name != "data"  # the recipe's name says it
        )

    def configure(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The whole configuration: `settings`, and the defaults of the keys left out.

        Raises OptionError for an unknown key, or a value of the wrong type or out of range; the
        message says what is right.
        """
        known = {option.key for option in self.options}
        for key in settings:
            if key not in known:
                listed = ", ".join(f"{option.key} ({option.allowed})" for option in self.options)
                raise OptionError(f"recipe {self.name} has no key {key!r}; its keys are {listed}")
        try:
            config = self.module.Config.parse({"data": self.data, **settings})
        except ValueError as error:
            raise OptionError(f"recipe {self.name}: {error}") from None
        return dataclasses.asdict(config)


_RECIPES = tuple(
    Recipe(name=data, description=description, data=data, module=small_gan)
    for data, description in {
        "ring": "GAN of two small networks on eight Gaussians on a circle in the plane",
        "grid9": "the same on a 3×3 grid of Gaussians",
        "grid25": "the same on a 5×5 grid of Gaussians, which is rarely learned in 2,500 steps",
        "digits": "the same on scikit-learn's 1,797 handwritten digits of 8×8 pixels",
    }.items()
)


def recipes() -> dict[str, Recipe]:
    """All recipes by name."""
    return {recipe.name: recipe for recipe in _RECIPES}


def get_recipe(name: str) -> Recipe:
    """The recipe of this name; OptionError, which lists the names, where there is none."""
    known = recipes()
    if name not in known:
        raise OptionError(f"there is no recipe {name!r}: choose one of {', '.join(known)}")
    return known[name]
