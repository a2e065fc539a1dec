"""What recipes of one kind of training share: how long they are, what they learn, how they are told
healthy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlcc.runs import Recorder

if TYPE_CHECKING:
    from dlcc.recipes.registry import Recipe

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

    @abstractmethod
    def length(self, config: Values) -> int:
        """Of the training, in steps."""

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
