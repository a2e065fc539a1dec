"""Recipes: trainings by name, and the families that share a program, its data and its truth."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlcc.errors import OptionError
from dlcc.runs import Recorder

Values = Mapping[str, Any]
"""Whole configuration of a training, key to value."""


class Look(Protocol):
    """Observer that measures a training as it is recorded."""

    def at_row(self, step: int) -> None:
        """Measure after the row of a step was logged."""
        ...

    def at_snapshot(self, step: int) -> None:
        """Measure after the snapshot of a step was taken."""
        ...


class Family(ABC):
    """Family of recipes that share a training program."""

    module: ModuleType
    """Module with `Config`, whose fields are the options, and `build`, which makes the training.
    Its file becomes the run's `source/train.py`."""
    changeable: tuple[str, ...] = ()
    """Keys whose values may change where a training goes on from a snapshot; changing others needs
    a start from the beginning."""

    @abstractmethod
    def length(self, config: Values) -> int:
        """Number of steps of the training."""

    @abstractmethod
    def objective(self, config: Values) -> dict[str, Any]:
        """Objective that the players minimise, as `run.json` states it."""

    @abstractmethod
    def data(self, config: Values) -> str:
        """Name of the data that are learned."""

    @abstractmethod
    def page(self, recipe: Recipe, config: Values) -> str:
        """Markdown page of the method, `documents/method.md`."""

    @abstractmethod
    def reference(self, config: Values) -> NDArray[np.float32]:
        """Data that samples are compared with, [n, ...]."""

    @abstractmethod
    def players(self, config: Values) -> Mapping[str, nn.Module]:
        """Networks as the training has them, by player, to count their parameters."""

    def variants(self) -> tuple[str, ...]:
        """Values of `data` that make the networks differ in size; empty where none does."""
        return ()

    def samples(self, config: Values) -> int:
        """Number of samples at each sample step."""
        return 512

    def sample_dtype(self, config: Values) -> torch.dtype:
        """Type of numbers in which samples are kept."""
        return torch.float32

    def target(self, config: Values) -> str | None:
        """Name of the known generator that the truth is judged by; None where none is known."""
        return None

    def as_target(self, samples: NDArray[Any], config: Values) -> NDArray[Any]:
        """Convert samples [n, ...] to rows of the target, [n, features]."""
        return samples

    def look(self, recorder: Recorder, training: Any) -> Look | None:
        """Observer that measures the landscape of a training; None where there is none."""
        return None


@dataclass(frozen=True)
class Option:
    """Key of a recipe's configuration, with its default and the values that it may have.

    >>> from dlcc.recipes import get_recipe
    >>> option = next(o for o in get_recipe("ring").options if o.key == "optimizer")
    >>> option.default, option.allowed
    ('adam', 'adam, rmsprop, sgd')
    """

    key: str
    """Name of the key."""
    default: Any
    """Value that it has where it is not set."""
    help: str
    """Meaning of the key, in a few words."""
    choices: tuple[str, ...]
    """Values that it may have; empty for numbers and free text."""
    low: float
    """Lowest number allowed."""
    high: float
    """Highest number allowed."""

    @property
    def allowed(self) -> str:
        """Choices or range in words."""
        if self.choices:
            return ", ".join(self.choices)
        if isinstance(self.default, str):
            return "text"
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Recipe:
    """Training by name: a family, and the part of the configuration that the name fixes.

    >>> from dlcc.recipes import get_recipe
    >>> ring = get_recipe("ring")
    >>> ring.fixed, ring.configure({"lr_d": 2e-3})["lr_d"]
    ({'data': 'ring'}, 0.002)
    >>> ring.parameters()
    {'ring': {'generator': 1410, 'discriminator': 1185}}
    """

    name: str
    """Name, unique among recipes."""
    description: str
    """Description in one line."""
    family: Family
    """Family of trainings that it belongs to."""
    fixed: Mapping[str, Any]
    """Values that the name stands for and nobody may set, such as `{"data": "ring"}`."""
    preset: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Values that replace the family's defaults, and may be set."""

    @property
    def module(self) -> ModuleType:
        """Module whose `build(config)` makes the training; the run keeps its file."""
        return self.family.module

    @property
    def source(self) -> Path:
        """File with the training's code."""
        return Path(str(self.module.__file__))

    @property
    def options(self) -> tuple[Option, ...]:
        """Keys that may be set, with defaults and ranges."""
        return tuple(
            Option(entry.name, self.preset.get(entry.name, entry.default), **entry.metadata)
            for entry in dataclasses.fields(self.module.Config)
            if entry.name not in self.fixed
        )

    def parameters(self) -> dict[str, dict[str, int]]:
        """Count the trained parameters of each player with all defaults.

        Returns:
            Name of the data to player to number of parameters: an entry for each data set on which
            the networks' sizes depend, else one for the recipe's data.
        """
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
        """Make the whole configuration of settings, with defaults for the keys left out.

        Args:
            settings: Key to value, keys of `options` alone.

        Returns:
            Every key of the family's configuration to its value, as plain numbers and text.

        Raises:
            OptionError: a key is unknown, or a value is of the wrong type or out of range; the
                message says what is right.
        """
        known = {option.key for option in self.options}
        for key in settings:
            if key not in known:
                listed = ", ".join(f"{option.key} ({option.allowed})" for option in self.options)
                raise OptionError(f"recipe {self.name} has no key {key!r}; its keys are {listed}")
        try:
            config = self.module.Config.parse({**self.preset, **self.fixed, **settings})
        except ValueError as error:
            raise OptionError(f"recipe {self.name}: {error}") from None
        return dataclasses.asdict(config)
