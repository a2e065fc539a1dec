"""Vanilla GAN and DCGAN of the study of loss-gradient clouds, layer for layer.

z is uniform in [−1, 1]; images are scaled to [−1, 1]; both players see the same batch and are
updated from the same state. Initialisation, normalisation and the slope of LeakyReLU are those that
Keras has by default, as the figures of the study imply; so is the padding "same", which at stride 2
adds one more row at the end than at the beginning.
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
from dlcc.recipes.data.images import IMAGES, load_images
from dlcc.recipes.image_gan import ImageGAN
from dlcc.recipes.options import Options, option
from dlcc.recipes.same_padding import same, same_transposed

ZDIM, SLOPE, KEEP, CLIP, PENALTY = 20, 0.3, 0.7, 0.01, 10.0


@dataclass(frozen=True)
class Config(Options):
    """Configuration, with its defaults and ranges."""

    net: str = option("vanilla", "the players", choices=("vanilla", "dcgan"))
    data: str = option("digits", "what is learned", choices=IMAGES)
    folder: str = option("", "where the files of the data are; digits need none")
    loss: str = option("ns", "the players' losses", choices=("ns", "wgan", "wgangp"))
    optimizer: str = option("adam", "of both players", choices=("adam", "rmsprop"))
    lr: float = option(1e-3, "learning rate of both", low=0, high=1)
    batch: int = option(128, "rows a step", low=2, high=4096)
    epochs: int = option(100, "passes through the data", low=1, high=100_000)
    steps: int = option(0, "length in steps; 0 leaves it to epochs", low=0, high=10_000_000)
    seed: int = option(0, "of weights, batches and samples", low=0, high=2**63 - 1)


# --- networks -------------------------------------------------------------------------------------


def vanilla_generator(channels: int, side: int) -> nn.Module:
    """Make the generator [n, 20] → [n, channels, side, side] with one hidden layer."""
    return nn.Sequential(
        nn.Linear(ZDIM, 100, bias=False),
        nn.LeakyReLU(SLOPE),
        nn.Linear(100, channels * side**2),
        nn.Tanh(),
        nn.Unflatten(1, (channels, side, side)),
    )


def vanilla_discriminator(channels: int, side: int) -> nn.Module:
    """Make the discriminator [n, channels, side, side] → [n, 1] with one hidden layer."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(channels * side**2, 100),
        nn.LeakyReLU(SLOPE),
        nn.Dropout(0.5),
        nn.Linear(100, 1),
    )


def dcgan_generator(channels: int, side: int) -> nn.Module:
    """Make the generator [n, 20] → [n, channels, side, side] of four transposed convolutions."""
    small = side // 4
    return nn.Sequential(
        nn.Linear(ZDIM, 128 * small**2, bias=False),
        nn.BatchNorm1d(128 * small**2, eps=1e-3, momentum=0.01),
        nn.LeakyReLU(SLOPE),
        nn.Unflatten(1, (128, small, small)),
        same_transposed(128, 128, 1),
        normalised(128),
        nn.LeakyReLU(SLOPE),
        same_transposed(128, 64, 2),
        normalised(64),
        nn.LeakyReLU(SLOPE),
        same_transposed(64, 32, 2),
        normalised(32),
        nn.LeakyReLU(SLOPE),
        same_transposed(32, channels, 1),
        nn.Tanh(),
    )


def dcgan_discriminator(channels: int, side: int) -> nn.Module:
    """Make the discriminator [n, channels, side, side] → [n, 1] of four convolutions."""
    return nn.Sequential(
        same(channels, 64, 5, 1),
        normalised(64),
        nn.LeakyReLU(SLOPE),
        same(64, 128, 5, 2),
        normalised(128),
        nn.LeakyReLU(SLOPE),
        nn.Dropout(1 - KEEP),
        same(128, 256, 5, 2),
        normalised(256),
        nn.LeakyReLU(SLOPE),
        nn.Dropout(1 - KEEP),
        same(256, 1, 7, 1),
        nn.Flatten(),
        nn.Linear((side // 4) ** 2, 1),
    )


def normalised(channels: int) -> nn.Module:
    """Make a batch normalisation with Keras' defaults, whose momentum .99 is the share kept."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


NETS = {
    "vanilla": (vanilla_generator, vanilla_discriminator),
    "dcgan": (dcgan_generator, dcgan_discriminator),
}
"""Makers of generator and discriminator by the value of `net`."""


def make_players(net: str, channels: int, side: int) -> dict[str, nn.Module]:
    """Make both players, not initialised."""
    generator, discriminator = NETS[net]
    return {"generator": generator(channels, side), "discriminator": discriminator(channels, side)}


def initialise(network: nn.Module) -> None:
    """Initialise weights by Glorot's uniform rule, biases with 0; normalisations are left alone."""
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


# --- losses ---------------------------------------------------------------------------------------


def discriminator_loss(loss: str, real: Tensor, fake: Tensor) -> Tensor:
    """Cross-entropy of raw outputs (Goodfellow 2014, eq. 1), or Wasserstein (Arjovsky 2017)."""
    if loss == "ns":
        return F.softplus(-real).mean() + F.softplus(fake).mean()
    return fake.mean() - real.mean()


def generator_loss(loss: str, fake: Tensor) -> Tensor:
    """Non-saturating loss of raw outputs (Goodfellow 2014, section 3), or Wasserstein."""
    return F.softplus(-fake).mean() if loss == "ns" else -fake.mean()


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor, mixing: Tensor) -> Tensor:
    """Penalty mean[(‖∇D(x̂)‖ − 1)²] at x̂ = ε·x + (1 − ε)·G(z) (Gulrajani 2017, eq. 3)."""
    x = (mixing * real + (1 - mixing) * fake).detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    norms: Tensor = torch.linalg.vector_norm(slope.flatten(1), dim=1)
    return (norms - 1).square().mean()


# --- training -------------------------------------------------------------------------------------


class CloudGAN(ImageGAN):
    """Training that updates both players at once, from the same batch and state."""

    def __init__(self, config: Config, images: NDArray[np.float32]) -> None:
        self.config = config
        with optimised.seeded(config.seed, optimised.STREAM_WEIGHTS):
            players = make_players(config.net, *images.shape[1:3])
            for network in players.values():
                initialise(network)
        optimizers = {name: self._optimizer(network) for name, network in players.items()}
        super().__init__(config.seed, players, optimizers, images, batch=config.batch, noise=ZDIM)

    def _optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Make the configured optimiser, with Keras' defaults."""
        if self.config.optimizer == "adam":
            return torch.optim.Adam(network.parameters(), lr=self.config.lr, eps=1e-7)
        return torch.optim.RMSprop(network.parameters(), lr=self.config.lr, alpha=0.9, eps=1e-7)

    def iterate(self, step: int) -> Mapping[str, Tensor]:
        """Do one iteration; all that is recorded is of the state before its updates.

        `real` and `fake` are D's mean outputs: probabilities for "ns", raw for the others.
        """
        real, z = self.batch(step)
        fake = self.generator(z)
        of_real, of_fake = self.discriminator(real), self.discriminator(fake)
        d_loss = discriminator_loss(self.config.loss, of_real, of_fake)
        g_loss = generator_loss(self.config.loss, of_fake)
        stated = torch.sigmoid if self.config.loss == "ns" else torch.clone
        row = {
            "discriminator/real": stated(of_real).mean(),
            "discriminator/fake": stated(of_fake).mean(),
            "discriminator/real_accuracy": (of_real > 0).float().mean(),
            "discriminator/fake_accuracy": (of_fake < 0).float().mean(),
        }
        if self.config.loss == "wgangp":
            mixing = torch.rand(len(real), 1, 1, 1)
            penalty = PENALTY * gradient_penalty(self.discriminator, real, fake, mixing)
            row["discriminator/penalty"], d_loss = penalty, d_loss + penalty
        losses = {"discriminator": d_loss, "generator": g_loss}
        row |= {f"{player}/loss": loss for player, loss in losses.items()}
        row |= self.descend(losses)
        if self.config.loss == "wgan":
            with torch.no_grad():
                for parameter in self.discriminator.parameters():
                    parameter.clamp_(-CLIP, CLIP)
        return row


def build(values: Mapping[str, Any]) -> CloudGAN:
    """Build the training of a configuration, before its first step.

    Raises:
        ValueError: a key or a value is not in `Config`.
        RunError: files of the data are missing or damaged.
    """
    config = Config.parse(values)
    return CloudGAN(config, load_images(config.data, config.folder))
