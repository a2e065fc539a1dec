"""Exponential moving average of a network's weights, from which samples can be drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

DECAY = 0.999
"""Usual decay of a generator's average (Yazici et al. 2019; Karras et al. 2018)."""


def warmed_decay(step: int, decay: float = DECAY) -> float:
    """Compute the decay min(decay, (t + 1) / (t + 10)) at step t: short at first, then as asked.

    Args:
        step: Step t of the training, from 0.
        decay: Decay in the long run, 0 to 1.

    Returns:
        Share of the average that is kept in this step.

    >>> warmed_decay(0), warmed_decay(90), warmed_decay(100_000)
    (0.1, 0.91, 0.999)
    """
    return min(decay, (step + 1) / (step + 10))


class AveragedWeights:
    """Average of a network's weights and buffers over the steps of its training.

    Args:
        network: Network that is followed; its weights are where the average begins.
        decay: Decay in the long run, see `warmed_decay`.

    >>> import torch
    >>> from torch import nn
    >>> network = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.zeros_(network.weight)
    >>> average = AveragedWeights(network)
    >>> _ = nn.init.ones_(network.weight)
    >>> average.follow(step=0)  # nine tenths of the way
    >>> with average.applied():
    ...     round(network.weight.item(), 2)
    0.9
    >>> network.weight.item()
    1.0
    """

    def __init__(self, network: nn.Module, decay: float = DECAY) -> None:
        self.network, self.decay = network, decay
        self.values = _copied(network.state_dict())

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Move the average towards the weights as they are now.

        Args:
            step: Step that the training has just done, from 0.
        """
        share = 1 - warmed_decay(step, self.decay)
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value, share)
            else:
                self.values[name].copy_(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the network the averaged weights inside the block; then it has its own again."""
        own = _copied(self.network.state_dict())
        self.network.load_state_dict(self.values)
        try:
            yield
        finally:
            self.network.load_state_dict(own)

    def state_dict(self) -> dict[str, Any]:
        """Copy the average: name of a weight to its tensor."""
        return _copied(self.values)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`."""
        self.values = _copied(state)


def _copied(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value.detach().clone() for name, value in state.items()}
