"""Recipes: trainings by name, and the families that share a program, its data and its truth."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import OptionError, did_you_mean
from dlcc.runs import Recorder

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["Family", "Look", "Option", "Recipe", "Values"]

Values = Mapping[str, Any]
"""Whole configuration of a training, key to value."""


class Look(Protocol):
    """Observer that measures a training as it is recorded.

    >>> class Counting:
    ...     rows = snapshots = 0
    ...     def at_row(self, step):
    ...         self.rows += 1
    ...     def at_snapshot(self, step):
    ...         self.snapshots += 1
    >>> look: Look = Counting()
    >>> look.at_snapshot(0)
    >>> look.at_row(0)
    >>> look.rows, look.snapshots
    (1, 1)
    """

    def at_row(self, step: int) -> None:
        """Measure after the row of a step was logged.

        Args:
            step: Number of the step, from 0.
        """
        ...

    def at_snapshot(self, step: int) -> None:
        """Measure after the snapshot of a step was taken.

        Args:
            step: Step of the snapshot; its state is the one before this step.
        """
        ...


class Family(ABC):
    """Family of recipes that share a training program.

    >>> from dlcc.recipes import get_recipe
    >>> ring = get_recipe("ring")
    >>> family, config = ring.family, ring.configure({})
    >>> family.length(config), family.objective(config), family.data(config)
    (2500, {'kind': 'gan', 'loss': 'ns'}, 'ring')
    >>> family.description(config)
    {'name': 'ring'}
    >>> family.reference(config).shape, [*family.players(config)], family.variants()
    ((2048, 2), ['generator', 'discriminator'], ())
    >>> family.samples(config), family.sample_dtype(config), family.target(config)
    (512, torch.float32, 'ring')
    >>> family.as_target(np.zeros((5, 2)), config).shape, family.page(ring, config)[:8]
    ((5, 2), '# Method')
    >>> import tempfile
    >>> from dlcc.runs import Run
    >>> training = ring.module.build(config)
    >>> with tempfile.TemporaryDirectory() as folder, Recorder(folder, training=training) as rec:
    ...     look = family.look(rec, training)
    ...     rec.log(0, training.step(0))
    ...     look.at_row(0)
    ...     rec.flush()
    ...     "generator/grad_noise_scale" in Run.open(folder).series()
    True
    """

    module: ModuleType
    """Module with `Config`, whose fields are the options, and `build`, which makes the training.
    Its file becomes the run's `source/train.py`."""
    changeable: tuple[str, ...] = ()
    """Keys whose values may change where a training goes on from a snapshot; changing others needs
    a start from the beginning."""

    @abstractmethod
    def length(self, config: Values) -> int:
        """Count the steps of the training.

        Args:
            config: Whole configuration of the training.

        Returns:
            Number of steps.
        """

    @abstractmethod
    def objective(self, config: Values) -> dict[str, Any]:
        """State the objective that the players minimise.

        Args:
            config: Whole configuration of the training.

        Returns:
            Key `objective` of run.json: at least the kind.
        """

    @abstractmethod
    def data(self, config: Values) -> str:
        """Name the data that are learned.

        Args:
            config: Whole configuration of the training.

        Returns:
            Name of the data.
        """

    def description(self, config: Values) -> dict[str, Any]:
        """Describe the data that are learned.

        Args:
            config: Whole configuration of the training.

        Returns:
            Key `data` of run.json: at least the name.
        """
        return {"name": self.data(config)}

    @abstractmethod
    def page(self, recipe: Recipe, config: Values) -> str:
        """Write the page of the method, `documents/method.md`.

        Args:
            recipe: Recipe of this family that is trained.
            config: Whole configuration of the training.

        Returns:
            Text in Markdown.
        """

    @abstractmethod
    def reference(self, config: Values) -> NDArray[np.float32]:
        """Draw or read the data that samples are compared with.

        Args:
            config: Whole configuration of the training.

        Returns:
            Rows [n, ...] in the units of the samples.

        Raises:
            MissingDataError: The data are files that are not where the configuration says.
        """

    @abstractmethod
    def players(self, config: Values) -> Mapping[str, nn.Module]:
        """Make the networks as the training has them, to count their parameters.

        Args:
            config: Whole configuration of the training.

        Returns:
            Player to its network.
        """

    def variants(self) -> tuple[str, ...]:
        """List the values of `data` that make the networks differ in size.

        Returns:
            Names of data; empty where none makes a difference.
        """
        return ()

    def samples(self, config: Values) -> int:
        """Count the samples of a sample step.

        Args:
            config: Whole configuration of the training.

        Returns:
            Number of samples, 512 by default.
        """
        return 512

    def sample_dtype(self, config: Values) -> torch.dtype:
        """Choose the type of numbers in which samples are kept.

        Args:
            config: Whole configuration of the training.

        Returns:
            Type of a tensor, float32 by default.
        """
        import torch  # here: who looks recipes up by name need not wait for it

        return torch.float32

    def target(self, config: Values) -> str | None:
        """Name the known generator that the truth is judged by.

        Args:
            config: Whole configuration of the training.

        Returns:
            Name of the generator; None where none is known.
        """
        return None

    def as_target(self, samples: NDArray[Any], config: Values) -> NDArray[Any]:
        """Convert samples to rows of the target.

        Args:
            samples: Samples [n, ...], as the training gives them.
            config: Whole configuration of the training.

        Returns:
            Rows [n, features] in the target's units.
        """
        return samples

    def look(self, recorder: Recorder, training: Any) -> Look | None:
        """Make the observer that measures the landscape of a training.

        Args:
            recorder: Recorder of the training, which has begun.
            training: Training that is recorded.

        Returns:
            The observer; None where nothing is measured.
        """
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

        Raises:
            OptionError: the recipe's own values are not ones that its family allows.
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
                raise OptionError(
                    f"recipe {self.name} has no key {key!r}{did_you_mean(key, known)}; its keys "
                    f"are {listed}"
                )
        try:
            config = self.module.Config.parse({**self.preset, **self.fixed, **settings})
        except ValueError as error:
            raise OptionError(f"recipe {self.name}: {error}") from None
        return dataclasses.asdict(config)
