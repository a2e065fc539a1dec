"""What trainings of recipes have in common: players with optimisers, and draws of (seed, step)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

(
    STREAM_WEIGHTS, STREAM_ROWS, STREAM_ORDER, STREAM_BATCHES, STREAM_SAMPLES, STREAM_LAYERS,
) = range(6)  # fmt: skip
"""Keep the draws of a seed apart: initial weights, rows that stay the same, the order of an epoch,
what a batch or samples are made of, and what layers draw."""


class OptimisedTraining(ABC):
    """Players with an optimiser each. What happens in a step is the recipe's.

    A step is a function of the state and (seed, step): batches are drawn from `draws`, and layers
    that draw for themselves, such as dropout, find torch's generator seeded by the step.
    """

    def __init__(
        self,
        seed: int,
        players: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
    ) -> None:
        self.seed = seed
        self.players = players
        self.optimizers = optimizers

    @abstractmethod
    def iterate(self, step: int) -> Mapping[str, Tensor]:
        """One iteration; what is recorded of it, `player/quantity` to a number."""

    def step(self, step: int) -> dict[str, float]:
        """One iteration; what is recorded of it."""
        with seeded(self.seed, STREAM_LAYERS, step):
            row = self.iterate(step)
        values = torch.stack([value.detach().float() for value in row.values()]).tolist()
        return dict(zip(row, values, strict=True))

    def draws(self, stream: int, number: int) -> np.random.Generator:
        """The generator of a batch, or of samples."""
        return np.random.default_rng([self.seed, stream, number])

    def anneal_rate(self, player: str, start: float, done: float) -> None:
        """Half a wave from a rate down to 0, at this share of the training; 0 past its end."""
        for group in self.optimizers[player].param_groups:
            group["lr"] = start * (1 + math.cos(math.pi * min(1.0, done))) / 2

    def descend(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Update players at once, all from the state as it is; `player/grad_norm`, Euclidean."""
        slopes = {}
        for left, (player, loss) in enumerate(losses.items(), start=1 - len(losses)):
            parameters = list(self.players[player].parameters())
            slopes[player] = torch.autograd.grad(loss, parameters, retain_graph=left < 0)
        norms = {}
        for player, gradients in slopes.items():
            for parameter, gradient in zip(
                self.players[player].parameters(), gradients, strict=True
            ):
                parameter.grad = gradient
            self.optimizers[player].step()
            whole = torch.cat([gradient.flatten() for gradient in gradients])
            norms[f"{player}/grad_norm"] = torch.linalg.vector_norm(whole)
        return norms

    def state_dict(self) -> dict[str, Any]:
        """Copies of weights, buffers and what the optimisers hold."""
        return {
            "players": {name: copied(net.state_dict()) for name, net in self.players.items()},
            "optimizers": {name: copied(o.state_dict()) for name, o in self.optimizers.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Back to a state of `state_dict`."""
        for name, net in self.players.items():
            net.load_state_dict(state["players"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(copied(state["optimizers"][name]))


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Torch's generator seeded by these numbers; afterwards it is as it was."""
    (seed,) = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed))
        yield


def copied(state: Any) -> Any:
    """A nested state whose tensors are its own."""
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, Mapping):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, list):
        return [copied(value) for value in state]
    return state
