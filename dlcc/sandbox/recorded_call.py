"""Recorded call of a player: what went in, as the process inside tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from dlcc.sandbox import wire


@dataclass(frozen=True)
class CallTensor:
    """Tensor that went into a player."""

    name: str
    """Place among the arguments: `[0]` of the first by position, `['y']` of one by name."""
    dtype: str
    """Type of its numbers, such as `float32`."""
    classes: int | None
    """Number of classes of the embedding that it went into as it was; None for none."""
    values: NDArray[Any]
    """Values [batch, ...]."""


@dataclass(frozen=True)
class RecordedCall:
    """Call of a player, or of a part of one, within a step."""

    number: int
    """Place among the calls of the step."""
    player: str
    path: str
    """Path of the part within the player; empty for the player as a whole."""
    training: bool
    """Whether it was in training mode."""
    tensors: tuple[CallTensor, ...] | None
    """Tensors among the arguments, in order; None where they are too large to be shown."""

    @property
    def name(self) -> str:
        """Player, with the part after a point."""
        return f"{self.player}.{self.path}" if self.path else self.player


def recorded_call(
    number: int, told: Mapping[str, Any], made: Mapping[str, NDArray[Any]]
) -> RecordedCall:
    """Check what is told of a call.

    Args:
        number: Place among the calls of the step.
        told: Player, path, mode and arguments, as the process inside tells them.
        made: Values of the arguments by `NUMBER/ARGUMENT`.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: It cannot be a call.
    """
    leaves = list(told["leaves"])
    tensors = []
    for j, leaf in enumerate(leaves):
        values = made.get(f"{number}/{j}")
        classes = leaf["classes"]
        if values is not None:
            name, dtype = wire.shown(leaf["name"], 80), wire.shown(leaf["dtype"], 20)
            tensors.append(
                CallTensor(name, dtype, None if classes is None else int(classes), values)
            )
    whole = len(tensors) == len(leaves)
    return RecordedCall(
        number,
        wire.shown(told["player"], 80),
        wire.shown(told["path"], 120),
        bool(told["training"]),
        tuple(tensors) if whole else None,
    )
