"""Map f1 of `mmd_maps`, mended, with L1, L2 or dropout: what they do to its weights.

The paper compares L1 with L2 by the weights alone, of a map that its penalty shrinks. A penalty
here comes in the place of the map's own and leaves out the biases, which only place the units
(Goodfellow, Bengio, Courville 2016, section 7.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcc.recipes.maps import mmd_maps
from dlcc.recipes.options import option

NORMS = {"l1": torch.abs, "l2": torch.square}


@dataclass(frozen=True)
class Config(mmd_maps.Config):
    """Configuration of the map, and of what keeps its weights small."""

    map: str = option("f1", "which map", choices=("f1",))
    regulariser: str = option("none", "penalty on the weights", choices=("none", *NORMS))
    strength: float = option(1e-5, "factor of the penalty", low=0, high=100)
    dropout: float = option(0.0, "share of hidden units dropped a step", low=0, high=0.9)


def make_players(config: Config) -> dict[str, nn.Module]:
    """Make the map [n, 2] → [n, 2] with dropout behind both hidden layers (Srivastava 2014)."""
    layers: list[nn.Module] = []
    for layer in mmd_maps.make_players(config)["generator"].children():
        layers += [layer] if isinstance(layer, nn.Linear) else [layer, nn.Dropout(config.dropout)]
    return {"generator": nn.Sequential(*layers)}


def weights(network: nn.Module) -> list[Tensor]:
    """Weights [units, inputs] of each layer, without biases."""
    return [layer.weight for layer in network.modules() if isinstance(layer, nn.Linear)]


class RegularisedMap(mmd_maps.DistributionMap):
    """Training of a map by its distance and a penalty on its weights."""

    config: Config

    def penalty(self) -> Tensor | None:
        """Penalty λ Σ |w| or λ Σ w² over all weights, biases excepted; None without one."""
        if self.config.regulariser == "none":
            return None
        norm = NORMS[self.config.regulariser]
        return (
            self.config.strength
            * torch.stack([norm(weight).sum() for weight in weights(self.generator)]).sum()
        )


def build(values: Mapping[str, Any]) -> RegularisedMap:
    """Build the training of a configuration, before its first step.

    Raises:
        ValueError: a key or a value is not in `Config`.
    """
    config = Config.parse(values)
    return RegularisedMap(config, make_players(config))
