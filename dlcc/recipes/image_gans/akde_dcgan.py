"""Deep convolutional GAN, the baseline that adaptive kernel density estimation is to steady.

The study gives pixels in [0, 1], a split of 80 to 20 and a batch. Layers, initialisation and rates
are those of the deep convolutional GAN (Radford 2016): strided convolutions, with batch
normalisation but for the generator's last and the discriminator's first, normal weights of standard
deviation .02, and Adam at 2e-4 with β₁ of .5. Players take turns; the discriminator begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from dlcc.recipes import optimised
from dlcc.recipes.data.images import IMAGES, as_shares, load_images
from dlcc.recipes.image_gan import ImageGAN
from dlcc.recipes.options import Options, option

ZDIM, TRAINED_SHARE, WEIGHTS_SD = 100, 0.8, 0.02
_HELD_OUT = 256  # images on which the discriminator is tried, at most


@dataclass(frozen=True)
class Config(Options):
    """Configuration, with its defaults and ranges."""

    data: str = option("digits", "what is learned", choices=IMAGES)
    folder: str = option("", "where the files of the data are; digits need none")
    lr: float = option(2e-4, "learning rate of both", low=0, high=1)
    batch: int = option(32, "rows a step", low=2, high=4096)
    epochs: int = option(45, "passes through the data", low=1, high=100_000)
    steps: int = option(0, "length in steps; 0 leaves it to epochs", low=0, high=10_000_000)
    seed: int = option(0, "of split, weights, batches and samples", low=0, high=2**63 - 1)

    @property
    def loss(self) -> str:
        """Loss of both players."""
        return "ns"


# --- networks -------------------------------------------------------------------------------------


def generator(channels: int, side: int) -> nn.Module:
    """Make the generator [n, 100] → [n, channels, side, side] in [0, 1]."""
    small = side // 4
    return nn.Sequential(
        nn.Linear(ZDIM, 128 * small**2, bias=False),
        nn.Unflatten(1, (128, small, small)),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, channels, 4, 2, 1),
        nn.Sigmoid(),
    )


def discriminator(channels: int, side: int) -> nn.Module:
    """Make the discriminator [n, channels, side, side] → [n, 1], raw."""
    return nn.Sequential(
        nn.Conv2d(channels, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * (side // 4) ** 2, 1),
    )


def make_players(channels: int, side: int) -> dict[str, nn.Module]:
    """Make both players, initialised from torch's generator."""
    players = {
        "generator": generator(channels, side),
        "discriminator": discriminator(channels, side),
    }
    for network in players.values():
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=WEIGHTS_SD)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, mean=1.0, std=WEIGHTS_SD)
    return players


# --- losses ---------------------------------------------------------------------------------------


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Cross-entropy of raw outputs [n, 1] (Goodfellow 2014, eq. 1)."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(fake: Tensor) -> Tensor:
    """Non-saturating loss of raw outputs [n, 1] (Goodfellow 2014, section 3)."""
    return F.softplus(-fake).mean()


# --- training -------------------------------------------------------------------------------------


class DCGAN(ImageGAN):
    """Training that updates the discriminator, then the generator against it on the same noise."""

    def __init__(self, config: Config, images: NDArray[np.float32]) -> None:
        """Set up the players for images [n, channels, side, side] in [0, 1], and split these."""
        self.config = config
        rng = np.random.default_rng([config.seed, optimised.STREAM_ROWS])
        order = rng.permutation(len(images))
        trained = round(TRAINED_SHARE * len(images))
        with optimised.seeded(config.seed, optimised.STREAM_WEIGHTS):
            players = make_players(*images.shape[1:3])
        adam = {
            name: torch.optim.Adam(network.parameters(), lr=config.lr, betas=(0.5, 0.999))
            for name, network in players.items()
        }
        super().__init__(
            config.seed, players, adam, images[order[:trained]], batch=config.batch, noise=ZDIM
        )
        self.held_out = torch.from_numpy(images[order[trained:][:_HELD_OUT]])

    def iterate(self, step: int) -> Mapping[str, Tensor]:
        """Do one iteration; each player's figures are of the state before its own update.

        Outputs are probabilities; `discriminator/held_out` is that of images which no batch brings,
        if there are any.
        """
        real, z = self.batch(step)
        of_real, of_fake = self.discriminator(real), self.discriminator(self.generator(z).detach())
        losses = {"discriminator": discriminator_loss(of_real, of_fake)}
        row = {
            "discriminator/real": torch.sigmoid(of_real).mean(),
            "discriminator/fake": torch.sigmoid(of_fake).mean(),
            "discriminator/loss": losses["discriminator"],
        } | self.descend(losses)
        if len(self.held_out) and step % -(-len(self.images) // self.config.batch) == 0:
            self.discriminator.eval()
            with torch.no_grad():
                row["discriminator/held_out"] = self.discriminator(self.held_out).sigmoid().mean()
            self.discriminator.train()
        loss = generator_loss(self.discriminator(self.generator(z)))
        row["generator/loss"] = loss
        return row | self.descend({"generator": loss})


def build(values: Mapping[str, Any]) -> DCGAN:
    """Build the training of a configuration, before its first step.

    Raises:
        ValueError: a key or a value is not in `Config`.
        RunError: files of the data are missing or damaged.
    """
    config = Config.parse(values)
    return DCGAN(config, as_shares(load_images(config.data, config.folder)))
