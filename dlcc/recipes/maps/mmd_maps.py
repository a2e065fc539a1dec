"""Maps between distributions: Gaussian to square (f1) and back (f2), a line to a Gaussian (f3).

As the paper trains them, by the maximum mean discrepancy with one wide kernel and a penalty on the
weights, every one of them shrinks to a point: beside a kernel as wide as the target the loss of a
point is small, and the penalty does the rest. Mended, the same networks minimise the sliced
Wasserstein distance, without penalty, from first layers whose units divide the inputs.

The paper names neither the width r of its kernels nor the rows of its sets. Here r is what gives a
point the loss that its tables end with (.0873, .0967 and .0287), there are 800 rows to train on and
100 each to validate and test, and the penalty of f1 is twice the stated one, without which its
outputs do not shrink all the way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.recipes import optimised
from dlcc.recipes.data.points import Gaussian, Square
from dlcc.recipes.distances import mmd, sliced_wasserstein
from dlcc.recipes.map_networks import Chained, Parallel, centre, fully_connected
from dlcc.recipes.options import Options, option

ROWS = {"train": 800, "validation": 100, "test": 100}
BATCH = {"paper": 100, "mended": 768}
LOSS = {"paper": "mmd", "mended": "sliced_wasserstein"}
RATE = 5e-3  # of Adam, in the first step when mended


@dataclass(frozen=True)
class Map:
    """Settings of one map in the paper, and those that mend it."""

    target: str
    """Name of the distribution to map to."""
    inputs: int
    """Number of coordinates that the map is given."""
    epochs: int
    """Number of passes through the rows in the paper."""
    penalty: float
    """Factor of the paper's penalty on the squared weights."""
    rate: float
    """Learning rate in the paper."""
    width: float
    """Width r of the kernel exp(−‖x − y‖²/r), in squared units of the target."""
    steepness: float
    """Standard deviation of the first layer's weights when mended."""
    steps: int
    """Number of steps of the mended training."""


MAPS = {
    "f1": Map("square", 2, 1000, 0.02, 0.01, 0.62, 2.0, 4000),
    "f2": Map("gaussian", 2, 1600, 0.01, 0.01, 6.2, 6.0, 5000),
    "f3": Map("gaussian", 1, 300, 0.001, 0.001, 13.8, 80.0, 4000),
}


@dataclass(frozen=True)
class Config(Options):
    """Configuration, with its defaults and ranges."""

    map: str = option("f1", "which map", choices=tuple(MAPS))
    variant: str = option("mended", "as the paper has it, or mended", choices=tuple(BATCH))
    epochs: int = option(0, "passes through the rows; 0 leaves it to the map", low=0, high=100_000)
    batch: int = option(0, "rows a step; 0 for 100, or 768 when mended", low=0, high=100_000)
    seed: int = option(0, "of weights, batches and samples", low=0, high=2**63 - 1)


def batch_size(config: Config) -> int:
    """Number of rows a step; as the paper has it, at most those that there are."""
    batch = config.batch or BATCH[config.variant]
    return min(batch, ROWS["train"]) if config.variant == "paper" else batch


def length(config: Config) -> int:
    """Number of steps of the training."""
    chosen = MAPS[config.map]
    if config.variant == "mended" and not config.epochs:
        return chosen.steps
    return (config.epochs or chosen.epochs) * math.ceil(ROWS["train"] / batch_size(config))


# --- data and network -----------------------------------------------------------------------------


def inputs(name: str, n: int, rng: np.random.Generator) -> Tensor:
    """Draw inputs of a map: Gaussian in the plane, or uniform in [0, 1] to the power of inputs."""
    if name == "f1":
        return torch.from_numpy(Gaussian().draw(n, rng))
    return torch.from_numpy(rng.random((n, MAPS[name].inputs), dtype=np.float32))


def target(name: str, n: int, rng: np.random.Generator) -> Tensor:
    """Draw targets of a map, [n, 2]: uniform on the square [0, 1]², or Gaussian in the plane."""
    if MAPS[name].target == "gaussian":
        return torch.from_numpy(Gaussian().draw(n, rng))
    return torch.from_numpy((Square().draw(n, rng) + 1) / 2)


def make_players(config: Config) -> dict[str, nn.Module]:
    """Make the map [n, inputs] → [n, 2], its weights drawn from the seed."""
    with optimised.seeded(config.seed, optimised.STREAM_WEIGHTS):
        if config.map != "f3":
            return {"generator": network((2, 125, 125, 2), nn.Sigmoid, config)}
        parts = [network((1, 50, 50, 1), nn.Tanh, config) for _ in range(2)]
        return {"generator": (Chained if config.variant == "paper" else Parallel)(parts)}


def network(widths: tuple[int, ...], activation: type[nn.Module], config: Config) -> nn.Module:
    """Make a fully connected network; when mended, its first units are centred on inputs."""
    net = fully_connected(widths, activation)
    if config.variant == "mended":
        drawn = np.random.default_rng([config.seed, optimised.STREAM_WEIGHTS])
        centre(net, inputs(config.map, widths[1], drawn), MAPS[config.map].steepness)
    return net


# --- training -------------------------------------------------------------------------------------


class DistributionMap(optimised.OptimisedTraining):
    """Training of one network by the distance of its outputs from the target."""

    def __init__(self, config: Config, players: Mapping[str, nn.Module]) -> None:
        self.config, self.map = config, MAPS[config.map]
        self.batch, self.length = batch_size(config), length(config)
        self.generator = players["generator"]
        weights = list(self.generator.parameters())
        paper, mended = torch.optim.SGD(weights, self.map.rate), torch.optim.Adam(weights, RATE)
        descent = paper if config.variant == "paper" else mended
        super().__init__(config.seed, players, {"generator": descent})
        rng = self.draws(optimised.STREAM_ROWS, 0)
        self.rows = {
            part: (inputs(config.map, n, rng), target(config.map, n, rng))
            for part, n in ROWS.items()
        }

    def iterate(self, step: int) -> Mapping[str, Tensor]:
        """Do one iteration; what is recorded is of the state before its update."""
        row = self._as_the_paper(step) if self.config.variant == "paper" else self._mended(step)
        return row | self.descend({"generator": row["generator/loss"]})

    def _as_the_paper(self, step: int) -> dict[str, Tensor]:
        """MMD of rows that stay the same; when an epoch begins, that of the held-out ones too."""
        epoch, place = divmod(step, math.ceil(ROWS["train"] / self.batch))
        order = self.draws(optimised.STREAM_ORDER, epoch).permutation(ROWS["train"])
        rows = torch.from_numpy(order[place * self.batch : (place + 1) * self.batch])
        x, y = self.rows["train"]
        row = self.losses(mmd(self.generator(x[rows]), y[rows], self.map.width))
        for part in ("validation", "test") if place == 0 else ():
            x, y = self.rows[part]
            row[f"generator/{part}_mmd"] = mmd(self.mapped(x), y, self.map.width)
        return row

    def _mended(self, step: int) -> dict[str, Tensor]:
        """Sliced Wasserstein distance of fresh rows, at a rate that falls to 0 in half a wave."""
        self.anneal_rate("generator", RATE, step / self.length)
        rng = self.draws(optimised.STREAM_BATCHES, step)
        x, y = (draw(self.config.map, self.batch, rng) for draw in (inputs, target))
        return self.losses(sliced_wasserstein(self.generator(x), y))

    def losses(self, distance: Tensor) -> dict[str, Tensor]:
        """Loss of the generator, with its parts where it has two."""
        if (penalty := self.penalty()) is None:
            return {"generator/loss": distance}
        parts = {f"generator/{LOSS[self.config.variant]}": distance, "generator/penalty": penalty}
        return parts | {"generator/loss": distance + penalty}

    def penalty(self) -> Tensor | None:
        """Penalty of the paper on all weights and biases; None when mended."""
        if self.config.variant == "mended":
            return None
        squares = [p.square().sum() for p in self.generator.parameters()]
        return self.map.penalty * torch.stack(squares).sum()

    def mapped(self, x: Tensor) -> Tensor:
        """Map x [n, inputs] in evaluation mode, [n, 2]."""
        self.generator.eval()
        with torch.no_grad():
            made: Tensor = self.generator(x)
        self.generator.train()
        return made

    def sample(self, n: int, seed: int) -> Tensor:
        """Map fresh inputs, [n, 2]."""
        return self.mapped(inputs(self.config.map, n, self.draws(optimised.STREAM_SAMPLES, seed)))


def build(values: Mapping[str, Any]) -> DistributionMap:
    """Build the training of a configuration, before its first step.

    Raises:
        ValueError: a key or a value is not in `Config`.
    """
    config = Config.parse(values)
    return DistributionMap(config, make_players(config))
