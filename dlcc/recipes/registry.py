"""The trainings that one can run by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from dlcc.errors import OptionError
from dlcc.recipes.clouds_family import CloudFamily
from dlcc.recipes.family import Family
from dlcc.recipes.maps_family import MapFamily
from dlcc.recipes.small_gan_family import SmallGANFamily


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
        if isinstance(self.default, str):
            return "text"
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Recipe:
    """A training by name: a kind of training, and what of its configuration the name says."""

    name: str
    description: str
    family: Family
    fixed: Mapping[str, str]
    """Keys that the name stands for, such as `{"data": "ring"}`."""

    @property
    def module(self) -> ModuleType:
        """Its `build(config)` makes the training, its file is the run's `source/train.py`."""
        return self.family.module

    @property
    def source(self) -> Path:
        """The file with the training's code."""
        return Path(str(self.module.__file__))

    @property
    def options(self) -> tuple[Option, ...]:
        """The keys one may set, with defaults and ranges."""
        return tuple(
            Option(entry.name, entry.default, **entry.metadata)
            for entry in dataclasses.fields(self.module.Config)
            if entry.name not in self.fixed
        )

    def parameters(self) -> dict[str, dict[str, int]]:
        """Trained numbers of each player with all defaults, by the data that they depend on; with
        the only data otherwise."""
        config = self.configure({})
        configs = {data: {**config, "data": data} for data in self.family.variants()}
        return {
            data: {
                name: sum(p.numel() for p in player.parameters())
                for name, player in self.family.players(own).items()
            }
            for data, own in (configs or {self.family.data(config): config}).items()
        }

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
            config = self.module.Config.parse({**self.fixed, **settings})
        except ValueError as error:
            raise OptionError(f"recipe {self.name}: {error}") from None
        return dataclasses.asdict(config)


_SMALL_GAN, _CLOUDS, _MAPS = SmallGANFamily(), CloudFamily(), MapFamily()
_RECIPES = (
    Recipe(
        "ring", "GAN of two small networks on eight Gaussians on a circle in the plane",
        _SMALL_GAN, {"data": "ring"},
    ),
    Recipe("grid9", "the same on a 3×3 grid of Gaussians", _SMALL_GAN, {"data": "grid9"}),
    Recipe(
        "grid25", "the same on a 5×5 grid of Gaussians, which is rarely learned in 2,500 steps",
        _SMALL_GAN, {"data": "grid25"},
    ),
    Recipe(
        "digits", "the same on scikit-learn's 1,797 handwritten digits of 8×8 pixels",
        _SMALL_GAN, {"data": "digits"},
    ),
    Recipe(
        "lgc-vanilla", "GAN of two fully connected networks on images, from the study of clouds",
        _CLOUDS, {"net": "vanilla"},
    ),
    Recipe(
        "lgc-dcgan", "its deep convolutional GAN; .2 s a step on a core at a batch of 16",
        _CLOUDS, {"net": "dcgan"},
    ),
    Recipe("map-f1", "a Gaussian in the plane mapped to a uniform square", _MAPS, {"map": "f1"}),
    Recipe("map-f2", "a uniform square mapped to a Gaussian in the plane", _MAPS, {"map": "f2"}),
    Recipe("map-f3", "a uniform line mapped to a Gaussian in the plane", _MAPS, {"map": "f3"}),
)  # fmt: skip


def recipes() -> dict[str, Recipe]:
    """All recipes by name."""
    return {recipe.name: recipe for recipe in _RECIPES}


def get_recipe(name: str) -> Recipe:
    """The recipe of this name; OptionError, which lists the names, where there is none."""
    known = recipes()
    if name not in known:
        raise OptionError(f"there is no recipe {name!r}: choose one of {', '.join(known)}")
    return known[name]
