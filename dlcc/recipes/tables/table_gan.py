"""GAN of table rows, after CTGAN (Xu 2019): dense players, a softmax for the class, packed rows.

Measurements are normal scores. The generator gives the class by a Gumbel softmax (Jang 2017), so
that it can be learnt; the discriminator sees several rows at a time (Lin 2018), by which it knows
a generator that draws few.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcc.recipes import optimised
from dlcc.recipes.adversarial_losses import ADVERSARIAL_LOSSES
from dlcc.recipes.options import Options, option
from dlcc.recipes.tables.data import DATA, load_table
from dlcc.recipes.tables.encoding import Encoding

GRADIENT_PENALTY_WEIGHT = 10.0
SLOPE = 0.2  # of every LeakyReLU
TEMPERATURE = 0.3  # of the Gumbel softmax
STREAM_PENALTY = 6  # of the seed; the others are in `optimised`


@dataclass(frozen=True)
class Config(Options):
    """Configuration, with its defaults and ranges."""

    data: str = option("wine", "table that is learned", choices=DATA)
    loss: str = option(
        "wgangp", "losses of the players", choices=("ns", "mm", "ls", "hinge", "wgangp")
    )
    packed: int = option(4, "rows that the discriminator sees at a time", low=1, high=64)
    optimizer: str = option("adam", "optimiser of both", choices=("adam", "rmsprop", "sgd"))
    lr_g: float = option(1e-3, "generator's learning rate", low=0, high=10)
    lr_d: float = option(1e-3, "discriminator's learning rate", low=0, high=10)
    beta1: float = option(0.5, "Adam's first decay, SGD's momentum", low=0, high=0.999)
    d_steps: int = option(1, "discriminator's updates a step", low=1, high=20)
    dropout: float = option(0.0, "share of D's units that are dropped", low=0, high=0.9)
    batch: int = option(64, "rows an update, a multiple of packed", low=2, high=4096)
    width: int = option(64, "units of a hidden layer", low=2, high=4096)
    zdim: int = option(16, "numbers a sample is made of", low=1, high=4096)
    steps: int = option(2500, "length in steps of the generator", low=1, high=10_000_000)
    seed: int = option(0, "of weights, batches and samples", low=0, high=2**63 - 1)

    def __post_init__(self) -> None:
        if self.batch % self.packed:
            raise ValueError(f"batch {self.batch}: expected a multiple of packed {self.packed}")


# --- networks -------------------------------------------------------------------------------------


class Generator(nn.Module):
    """Generator of encoded rows [n, width], from z [n, zdim] and Gumbel noise [n, classes]."""

    def __init__(self, config: Config, encoding: Encoding) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(config.zdim, config.width),
            nn.BatchNorm1d(config.width),
            nn.ReLU(),
            nn.Linear(config.width, config.width),
            nn.BatchNorm1d(config.width),
            nn.ReLU(),
            nn.Linear(config.width, encoding.width),
        )

    def forward(self, z: Tensor, gumbel: Tensor) -> Tensor:
        """Make encoded rows."""
        coded: Tensor = self.body(z)
        scores, logits = coded.tensor_split([coded.shape[1] - gumbel.shape[1]], dim=1)
        return torch.cat([scores, F.softmax((logits + gumbel) / TEMPERATURE, dim=1)], dim=1)


def make_players(config: Config) -> dict[str, nn.Module]:
    """Make both players, initialised from torch's generator."""
    encoding = Encoding.of(load_table(config.data))
    dropped = [nn.Dropout(config.dropout)] if config.dropout else []
    discriminator = nn.Sequential(
        nn.Linear(config.packed * encoding.width, config.width),
        nn.LeakyReLU(SLOPE),
        *dropped,
        nn.Linear(config.width, config.width),
        nn.LeakyReLU(SLOPE),
        *dropped,
        nn.Linear(config.width, 1),
    )
    return {"generator": Generator(config, encoding), "discriminator": discriminator}


# --- training -------------------------------------------------------------------------------------


class TableGAN(optimised.OptimisedTraining):
    """Training that updates the discriminator, as often as it is told, and then the generator."""

    def __init__(self, config: Config) -> None:
        """Set up the players for a table."""
        self.config = config
        table = load_table(config.data)
        self.encoding = Encoding.of(table)
        self.rows = torch.from_numpy(self.encoding.encode(table.rows))
        with optimised.seeded(config.seed, optimised.STREAM_WEIGHTS):
            players = make_players(config)
        rates = {"generator": config.lr_g, "discriminator": config.lr_d}
        optimizers = {
            name: optimised.make_optimizer(
                config.optimizer, net.parameters(), rates[name], config.beta1
            )
            for name, net in players.items()
        }
        super().__init__(config.seed, players, optimizers)
        self.generator, self.discriminator = players["generator"], players["discriminator"]

    def batch(self, number: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Real rows [batch, width], drawn with replacement, and noise for as many samples."""
        draws = self.draws(optimised.STREAM_BATCHES, number)
        rows = draws.integers(len(self.rows), size=self.config.batch)
        return self.rows[torch.from_numpy(rows)], self._noise(draws, self.config.batch)

    def _noise(self, draws: np.random.Generator, n: int) -> tuple[Tensor, Tensor]:
        """Draw z [n, zdim], standard normal, and Gumbel noise [n, classes]."""
        z = draws.standard_normal((n, self.config.zdim)).astype(np.float32)
        gumbel = draws.gumbel(size=(n, self.encoding.classes)).astype(np.float32)
        return torch.from_numpy(z), torch.from_numpy(gumbel)

    def _judged(self, rows: Tensor) -> Tensor:
        """Raw outputs [batch / packed, 1] for packs of rows [batch, width]."""
        outputs: Tensor = self.discriminator(rows.reshape(-1, self.config.packed * rows.shape[1]))
        return outputs

    def penalty(self, real: Tensor, fake: Tensor, number: int) -> Tensor:
        """Mean squared distance of the slope's norm from 1, between packs of rows and samples."""
        packs = len(real) // self.config.packed
        share = self.draws(STREAM_PENALTY, number).random((packs, 1)).astype(np.float32)
        at = torch.from_numpy(share).repeat_interleave(self.config.packed, dim=0)
        mixed = (at * real + (1 - at) * fake).requires_grad_()
        outputs = self._judged(mixed)
        (slope,) = torch.autograd.grad(outputs.sum(), mixed, create_graph=True)
        squares: Tensor = (slope.reshape(packs, -1).norm(dim=1) - 1) ** 2
        return squares.mean()

    def iterate(self, step: int) -> Mapping[str, Tensor]:
        """Do one iteration; outputs are probabilities for losses that take them for such."""
        loss = ADVERSARIAL_LOSSES[self.config.loss]
        for k in range(self.config.d_steps):
            number = step * self.config.d_steps + k
            real, noise = self.batch(number)
            fake = self.generator(*noise).detach()
            of_real, of_fake = self._judged(real), self._judged(fake)
            of_rival = loss.real(of_real).mean() + loss.fake(of_fake).mean()
            if self.config.loss == "wgangp":
                of_rival = of_rival + GRADIENT_PENALTY_WEIGHT * self.penalty(real, fake, number)
            moved = self.descend({"discriminator": of_rival})
        scale = torch.sigmoid if self.config.loss in ("ns", "mm") else nn.Identity()
        row = {
            "discriminator/real": scale(of_real).mean(),
            "discriminator/fake": scale(of_fake).mean(),
            "discriminator/loss": of_rival,
        } | moved
        row["generator/loss"] = loss.generator(self._judged(self.generator(*noise))).mean()
        return row | self.descend({"generator": row["generator/loss"]})

    @torch.no_grad()
    def sample(self, n: int, seed: int) -> Tensor:
        """Draw rows [n, d] in the units of the table, in evaluation mode."""
        self.generator.eval()
        made = self.generator(*self._noise(self.draws(optimised.STREAM_SAMPLES, seed), n))
        self.generator.train()
        finite = torch.isfinite(made).all(dim=1, keepdim=True)
        rows = torch.from_numpy(self.encoding.decode(made.nan_to_num().numpy()))
        return torch.where(finite, rows, math.nan)


def build(values: Mapping[str, Any]) -> TableGAN:
    """Build the training of a configuration, before its first step.

    Raises:
        ValueError: a key or a value is not in `Config`, or `packed` does not divide `batch`.
    """
    return TableGAN(Config.parse(values))
