"""Best state of a training by what its controller measures, to go back to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from dlcc.recipes.averaged_weights import AveragedWeights


@dataclass(frozen=True)
class BestState:
    """Weights of all players at a step, and the quality there.

    >>> model = nn.Linear(1, 1)
    >>> best = BestState.of({"model": model}, None, step=50, quality=-0.4)
    >>> _ = nn.init.zeros_(model.weight)
    >>> best.restore({"model": model}, {}, None)
    >>> torch.equal(model.weight, best.players["model"]["weight"])
    True
    """

    step: int
    """Step before which the state was taken."""
    quality: float
    """Quality there."""
    players: Mapping[str, Mapping[str, Tensor]]
    """Player -> weights and buffers."""
    average: Mapping[str, Tensor] | None
    """Averaged weights of the generator; None where there are none."""

    @classmethod
    def of(
        cls,
        players: Mapping[str, nn.Module],
        average: AveragedWeights | None,
        step: int,
        quality: float,
    ) -> Self:
        """Copy the state of a training.

        Args:
            players: Player -> network.
            average: Average of the generator's weights.
            step: Step before which the state is taken.
            quality: Quality there.

        Returns:
            The state.
        """
        weights = {
            name: {key: value.detach().clone() for key, value in net.state_dict().items()}
            for name, net in players.items()
        }
        return cls(step, quality, weights, None if average is None else average.state_dict())

    def restore(
        self,
        players: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
        average: AveragedWeights | None,
    ) -> None:
        """Put the weights back; optimisers begin anew, as their moments belong to other weights.

        Args:
            players: Player -> network.
            optimizers: Player -> optimiser.
            average: Average of the generator's weights.
        """
        for name, weights in self.players.items():
            players[name].load_state_dict(dict(weights))
        for optimizer in optimizers.values():
            optimizer.state = defaultdict(dict)
        if average is not None and self.average is not None:
            average.load_state_dict(self.average)

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values and tensors, for a state."""
        return {
            "step": self.step,
            "quality": self.quality,
            "players": {name: dict(weights) for name, weights in self.players.items()},
            "average": None if self.average is None else dict(self.average),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make the state of `to_dict` again.

        Args:
            values: Plain values and tensors.

        Returns:
            The state.
        """
        return cls(**values)
