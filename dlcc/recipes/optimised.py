"""Base of recipes' trainings: players with optimisers, and draws that depend on (seed, step)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor, nn

STREAM_WEIGHTS = 0
"""Stream of a seed that initial weights are drawn from; each use of a seed has its own stream."""
STREAM_ROWS = 1
"""Stream of the rows that stay the same throughout a training."""
STREAM_ORDER = 2
"""Stream of the order of rows in an epoch."""
STREAM_BATCHES = 3
"""Stream of the numbers that a batch is made of."""
STREAM_SAMPLES = 4
"""Stream of the numbers that samples are made of."""
STREAM_LAYERS = 5
"""Stream of the numbers that layers such as dropout draw."""


class LossControl(Protocol):
    """Controller that adds a penalty to losses, as a training calls it."""

    def begin(self, step: int) -> None:
        """Take in that a step begins."""
        ...

    def penalty(self, player: str, step: int, **tensors: Any) -> Tensor:
        """Compute what is to be added to a player's loss."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Copy all that it has seen and done."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`."""
        ...


class OptimisedTraining(ABC):
    """Training of players with an optimiser each; subclasses say what happens in a step.

    A step is a function of the state and (seed, step): batches are drawn from `draws`, and layers
    that draw for themselves, such as dropout, find torch's generator seeded by the step. Where it
    has a controller, that is a part of the state.
    """

    penalised_players: ClassVar[tuple[str, ...]] = ()
    """Players whose losses a controller may add a penalty to."""
    control: LossControl | None = None
    """Controller that adds penalties to losses; None for none."""

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
        """Do one iteration and return what is recorded of it, `player/quantity` to a scalar."""

    def step(self, step: int) -> dict[str, float]:
        """Do one iteration with layers' draws seeded, and return what is recorded of it."""
        if self.control is not None:
            self.control.begin(step)
        with seeded(self.seed, STREAM_LAYERS, step):
            row = self.iterate(step)
        values = torch.stack([value.detach().float() for value in row.values()]).tolist()
        return dict(zip(row, values, strict=True))

    def draws(self, stream: int, number: int) -> np.random.Generator:
        """Make the generator of random numbers for draw `number` of a stream."""
        return np.random.default_rng([self.seed, stream, number])

    def anneal_rate(self, player: str, start: float, done: float) -> None:
        """Set a player's learning rate to half a cosine wave from `start` to 0, at share `done`."""
        for group in self.optimizers[player].param_groups:
            group["lr"] = start * (1 + math.cos(math.pi * min(1.0, done))) / 2

    def penalised(self, player: str, loss: Tensor, step: int, **tensors: Any) -> Tensor:
        """Add the controller's penalty, if there is one, to a player's loss."""
        if self.control is None:
            return loss
        return loss + self.control.penalty(player, step, **tensors)

    def row_losses(self) -> dict[str, Callable[[nn.Module, Tensor], Tensor]]:
        """Give the loss of each row, [n], as a function of a player's network and a batch."""
        return {}

    def descend(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Update players at once, all from the present state, and return their gradients' norms."""
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
        """Copy weights, buffers and the optimisers' state."""
        state = {
            "players": {name: copied(net.state_dict()) for name, net in self.players.items()},
            "optimizers": {name: copied(o.state_dict()) for name, o in self.optimizers.items()},
        }
        return state if self.control is None else {**state, "control": self.control.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`."""
        for name, net in self.players.items():
            net.load_state_dict(state["players"][name])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(copied(state["optimizers"][name]))
        if self.control is not None and "control" in state:
            self.control.load_state_dict(copied(state["control"]))


def make_optimizer(
    name: str, weights: Iterable[nn.Parameter], rate: float, momentum: float = 0.9
) -> torch.optim.Optimizer:
    """Make `adam`, whose first decay `momentum` is, `rmsprop` or `sgd`."""
    if name == "adam":
        return torch.optim.Adam(weights, lr=rate, betas=(momentum, 0.999))
    if name == "rmsprop":
        return torch.optim.RMSprop(weights, lr=rate)
    return torch.optim.SGD(weights, lr=rate, momentum=momentum)


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Seed torch's generator by some numbers inside the block; afterwards it is as it was."""
    (seed,) = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(seed))
        yield


def copied(state: Any) -> Any:
    """Copy a nested state, tensors included."""
    if isinstance(state, Tensor):
        return state.detach().clone()
    if isinstance(state, Mapping):
        return {key: copied(value) for key, value in state.items()}
    if isinstance(state, list):
        return [copied(value) for value in state]
    return state
