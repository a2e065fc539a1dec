"""Recipes: trainings by name; and what those of one kind share: how long they are, what they learn,
how they are told healthy."""

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
"""A whole configuration."""


class Look(Protocol):
    """Measures a training as it is recorded."""

    def at_row(self, step: int) -> None:
        """After the row of a step was logged."""
        ...

    def at_snapshot(self, step: int) -> None:
        """After the snapshot of a step was taken."""
        ...


class Family(ABC):
    """A kind of training."""

    module: ModuleType
    """With `Config`, whose fields are the options, and `build`, which makes the training. Its file
    becomes the run's `source/train.py`."""
    changeable: tuple[str, ...] = ()
    """Keys that may have other values where a training goes on from a snapshot; a change of others
    needs a start from the beginning."""

    @abstractmethod
    def length(self, config: Values) -> int:
        """Number of steps of the training."""

    @abstractmethod
    def objective(self, config: Values) -> dict[str, Any]:
        """What the players minimise, for `run.json`."""

    @abstractmethod
    def data(self, config: Values) -> str:
        """The name of what is learned."""

    @abstractmethod
    def page(self, recipe: Recipe, config: Values) -> str:
        """The Markdown page of the method."""

    @abstractmethod
    def reference(self, config: Values) -> NDArray[np.float32]:
        """What samples are compared with, [n, ...]."""

    @abstractmethod
    def players(self, config: Values) -> Mapping[str, nn.Module]:
        """Networks as the training has them, for their sizes."""

    def variants(self) -> tuple[str, ...]:
        """Values of `data` that make the networks differ in size; empty where none does."""
        return ()

    def samples(self, config: Values) -> int:
        """Rows of a checkpoint."""
        return 512

    def sample_dtype(self, config: Values) -> torch.dtype:
        """How samples are kept."""
        return torch.float32

    def target(self, config: Values) -> str | None:
        """The known generator that the truth is judged by; None where none is known."""
        return None

    def as_target(self, samples: NDArray[Any], config: Values) -> NDArray[Any]:
        """Samples as rows of the target."""
        return samples

    def look(self, recorder: Recorder, training: Any) -> Look | None:
        """What measures the landscape of a training; None where nothing does."""
        return None


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
    fixed: Mapping[str, Any]
    """Keys that the name stands for, such as `{"data": "ring"}`."""
    preset: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Defaults of its own, which one may set."""

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
            Option(entry.name, self.preset.get(entry.name, entry.default), **entry.metadata)
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
            config = self.module.Config.parse({**self.preset, **self.fixed, **settings})
        except ValueError as error:
            raise OptionError(f"recipe {self.name}: {error}") from None
        return dataclasses.asdict(config)
