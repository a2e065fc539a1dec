"""Networks of maps between distributions: fully connected, alone or two for two coordinates."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


def fully_connected(widths: tuple[int, ...], activation: type[nn.Module]) -> nn.Sequential:
    """Make a network [n, first width] → [n, last width], weights of variance 1/fan-in, biases 0."""
    layers = [nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(widths)]
    for layer in layers:
        nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*[part for layer in layers for part in (layer, activation())][:-1])


def centre(net: nn.Sequential, points: Tensor, steepness: float) -> None:
    """Initialise a network with two hidden layers so that its units divide the inputs.

    Each unit of the first layer is in the middle of its range at one of the points; units of later
    layers are so where all units before them are.

    Args:
        net: Network, changed in place.
        points: Inputs, one for each unit of the first layer, [units, inputs].
        steepness: Standard deviation of the first layer's weights.
    """
    first, second, last = (layer for layer in net if isinstance(layer, nn.Linear))
    with torch.no_grad():
        middle = net[1](torch.zeros(()))
        first.weight.normal_(0, steepness)
        first.bias.copy_(-(first.weight * points).sum(dim=1))
        second.weight.mul_(2)
        for layer in (second, last):
            layer.bias.copy_(-middle * layer.weight.sum(dim=1))


class Chained(nn.ModuleList):
    """Pair of networks u → (first(u), second(first(u)))."""

    def forward(self, u: Tensor) -> Tensor:
        """Map u [n, inputs] to both coordinates, [n, 2]."""
        first = self[0](u)
        return torch.cat([first, self[1](first)], dim=1)


class Parallel(nn.ModuleList):
    """Pair of networks u → (first(u), second(u))."""

    def forward(self, u: Tensor) -> Tensor:
        """Map u [n, inputs] to both coordinates, [n, 2]."""
        return torch.cat([net(u) for net in self], dim=1)
