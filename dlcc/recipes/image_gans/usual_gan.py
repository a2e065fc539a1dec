"""GAN on images in the architectures, objectives and optimisers that people use.

Networks are a deep convolutional pair (Radford 2016), a fully connected one, or one of residual
blocks (Miyato 2018), in a width that a processor trains in seconds. Losses are those of Goodfellow
2014 (ns, mm), Mao 2017 (ls), Lim and Ye 2017 (hinge), Gulrajani 2017 (wgangp) and the relativistic
pairing (Jolicoeur-Martineau 2019, Huang 2024), with the penalties R1 and R2 (Mescheder 2018)
and an exponential moving average of the generator's weights where they are asked for.
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
from torch.nn.utils.parametrizations import spectral_norm

from dlcc.recipes import optimised
from dlcc.recipes.adversarial_losses import ADVERSARIAL_LOSSES
from dlcc.recipes.data.images import IMAGES, load_images
from dlcc.recipes.image_gan import ImageGAN
from dlcc.recipes.options import Options, option

GRADIENT_PENALTY_WEIGHT = 10.0
SLOPE = 0.2  # of every LeakyReLU
STREAM_PENALTY = 6  # of the seed; the others are in `optimised`


@dataclass(frozen=True)
class Config(Options):
    """Configuration, with its defaults and ranges."""

    data: str = option("digits", "what is learned", choices=IMAGES)
    folder: str = option("", "where the files of the data are; digits need none")
    net: str = option("conv", "architecture", choices=("conv", "dense", "residual"))
    norm: str = option(
        "batch",
        "normalisation: batch norm of both, of the generator alone, or spectral norm of the rival",
        choices=("batch", "generator", "spectral"),
    )
    loss: str = option(
        "ns", "losses of the players", choices=("ns", "mm", "ls", "hinge", "wgangp", "relativistic")
    )
    r1: float = option(0.0, "weight of the penalty on D's gradient at real images", low=0, high=1e4)
    r2: float = option(0.0, "weight of the same at samples", low=0, high=1e4)
    dropout: float = option(0.0, "share of D's units that are dropped", low=0, high=0.9)
    ema: float = option(0.0, "decay of the average of G's weights; 0 for none", low=0, high=0.9999)
    optimizer: str = option("adam", "optimiser of both", choices=("adam", "rmsprop", "sgd"))
    lr_g: float = option(2e-4, "generator's learning rate", low=0, high=10)
    lr_d: float = option(2e-4, "discriminator's learning rate", low=0, high=10)
    beta1: float = option(0.5, "Adam's first decay, SGD's momentum", low=0, high=0.999)
    d_steps: int = option(1, "discriminator's updates a step", low=1, high=20)
    batch: int = option(32, "images an update", low=2, high=4096)
    width: int = option(16, "channels of the widest common layer; units of dense ones by 8", low=2)
    zdim: int = option(32, "numbers a sample is made of", low=1, high=4096)
    steps: int = option(1500, "length in steps of the generator", low=1, high=10_000_000)
    seed: int = option(0, "of weights, batches and samples", low=0, high=2**63 - 1)


# --- networks -------------------------------------------------------------------------------------


def make_players(config: Config, channels: int, side: int) -> dict[str, nn.Module]:
    """Make both players, initialised from torch's generator."""
    make = {"conv": _conv, "dense": _dense, "residual": _residual}[config.net]
    generator, discriminator = make(config, channels, side)
    if config.norm == "spectral":
        for module in discriminator.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                spectral_norm(module)
    return {"generator": generator, "discriminator": discriminator}


def _conv(config: Config, channels: int, side: int) -> tuple[nn.Module, nn.Module]:
    """Transposed and strided convolutions."""
    width, small = config.width, side // 4
    generator = nn.Sequential(
        nn.Linear(config.zdim, 2 * width * small**2),
        nn.Unflatten(1, (2 * width, small, small)),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, channels, 4, 2, 1),
        nn.Tanh(),
    )
    norm = [nn.BatchNorm2d(2 * width)] if normalises_rival(config) else []
    discriminator = nn.Sequential(
        nn.Conv2d(channels, width, 4, 2, 1),
        nn.LeakyReLU(SLOPE),
        *_dropped(config),
        nn.Conv2d(width, 2 * width, 4, 2, 1),
        *norm,
        nn.LeakyReLU(SLOPE),
        *_dropped(config),
        nn.Flatten(),
        nn.Linear(2 * width * small**2, 1),
    )
    return generator, discriminator


def _dense(config: Config, channels: int, side: int) -> tuple[nn.Module, nn.Module]:
    """Fully connected layers."""
    units, pixels = 8 * config.width, channels * side**2
    generator = nn.Sequential(
        nn.Linear(config.zdim, units),
        nn.LeakyReLU(SLOPE),
        nn.Linear(units, 2 * units),
        nn.BatchNorm1d(2 * units),
        nn.LeakyReLU(SLOPE),
        nn.Linear(2 * units, pixels),
        nn.Tanh(),
        nn.Unflatten(1, (channels, side, side)),
    )
    norm = [nn.BatchNorm1d(units)] if normalises_rival(config) else []
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Linear(pixels, 2 * units),
        nn.LeakyReLU(SLOPE),
        *_dropped(config),
        nn.Linear(2 * units, units),
        *norm,
        nn.LeakyReLU(SLOPE),
        *_dropped(config),
        nn.Linear(units, 1),
    )
    return generator, discriminator


def _residual(config: Config, channels: int, side: int) -> tuple[nn.Module, nn.Module]:
    """Residual blocks, with nearest neighbours upwards and means downwards."""
    width, small = config.width, side // 4
    generator = nn.Sequential(
        nn.Linear(config.zdim, width * small**2),
        nn.Unflatten(1, (width, small, small)),
        Block(width, width, up=True, norm=True),
        Block(width, width, up=True, norm=True),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, channels, 3, padding=1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.AvgPool2d(2),
        Block(width, width, up=False, norm=normalises_rival(config)),
        nn.ReLU(),
        *_dropped(config),
        nn.Flatten(),
        nn.Linear(width * small**2, 1),
    )
    return generator, discriminator


class Block(nn.Module):
    """Residual block that doubles or halves the sides of what it gets."""

    def __init__(self, inputs: int, outputs: int, *, up: bool, norm: bool) -> None:
        super().__init__()
        self.resize = nn.Upsample(scale_factor=2) if up else nn.AvgPool2d(2)
        self.norm = nn.BatchNorm2d(inputs) if norm else nn.Identity()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map [n, inputs, s, s] to [n, outputs, 2 s, 2 s], or to half of s."""
        hidden = self.second(F.relu(self.first(F.relu(self.norm(x)))))
        out: Tensor = self.resize(hidden) + self.resize(x)
        return out


def normalises_rival(config: Config) -> bool:
    """Whether the discriminator has batch norm; beside penalties on single images it has none."""
    return config.norm == "batch" and config.loss != "wgangp" and not (config.r1 or config.r2)


def _dropped(config: Config) -> list[nn.Module]:
    return [nn.Dropout(config.dropout)] if config.dropout else []


# --- losses ---------------------------------------------------------------------------------------


def discriminator_loss(loss: str, real: Tensor, fake: Tensor) -> Tensor:
    """Loss of raw outputs [n, 1], without penalties."""
    if loss == "relativistic":
        return F.softplus(fake - real).mean()
    of_rows = ADVERSARIAL_LOSSES[loss]
    return of_rows.real(real).mean() + of_rows.fake(fake).mean()


def generator_loss(loss: str, real: Tensor, fake: Tensor) -> Tensor:
    """Loss of raw outputs [n, 1]; only the relativistic one sees those of real images."""
    if loss == "relativistic":
        return F.softplus(real - fake).mean()
    return ADVERSARIAL_LOSSES[loss].generator(fake).mean()


def squared_slope(outputs: Tensor, images: Tensor) -> Tensor:
    """Squared norm [n] of the gradient of outputs [n, 1] by images [n, ...]."""
    (slope,) = torch.autograd.grad(outputs.sum(), images, create_graph=True)
    return slope.flatten(1).square().sum(1)


def mixed_images(real: Tensor, fake: Tensor, share: NDArray[np.float64]) -> Tensor:
    """Mix images [n, ...] with samples, `share` [n, 1, 1, 1] of each image; ready for a slope."""
    at = torch.from_numpy(share.astype(np.float32))
    return (at * real + (1 - at) * fake).detach().requires_grad_()


def gradient_penalty(discriminator: nn.Module, mixed: Tensor) -> Tensor:
    """Mean squared deviation of the gradient's norm from 1 (Gulrajani 2017, eq. 3)."""
    slope = squared_slope(discriminator(mixed), mixed).sqrt()
    return ((slope - 1) ** 2).mean()


# --- training -------------------------------------------------------------------------------------


class UsualGAN(ImageGAN):
    """Training that updates the discriminator, as often as it is told, and then the generator."""

    penalised_players = ("discriminator",)

    def __init__(self, config: Config, images: NDArray[np.float32]) -> None:
        """Set up the players for images [n, channels, side, side] in [−1, 1]."""
        self.config = config
        with optimised.seeded(config.seed, optimised.STREAM_WEIGHTS):
            players = make_players(config, *images.shape[1:3])
        rates = {"generator": config.lr_g, "discriminator": config.lr_d}
        optimizers = {
            name: optimised.make_optimizer(
                config.optimizer, net.parameters(), rates[name], config.beta1
            )
            for name, net in players.items()
        }
        super().__init__(
            config.seed, players, optimizers, images, batch=config.batch, noise=config.zdim
        )
        self.average = optimised.copied(self.generator.state_dict()) if config.ema else None

    def iterate(self, step: int) -> Mapping[str, Tensor]:
        """Do one iteration; each player's figures are of the state before its last update.

        Outputs are probabilities for the losses that take them for such, else raw.
        """
        loss = self.config.loss
        for k in range(self.config.d_steps):
            real, z = self.batch(step * self.config.d_steps + k)
            fake = self.generator(z).detach()
            of_rival, of_real, of_fake = self.loss_of_rival(real, fake, step + k)
            descended = self.penalised("discriminator", of_rival, step, real=real, fake=fake)
            moved = self.descend({"discriminator": descended})
        scale = torch.sigmoid if loss in ("ns", "mm") else nn.Identity()
        row = {
            "discriminator/real": scale(of_real).mean(),
            "discriminator/fake": scale(of_fake).mean(),
            "discriminator/loss": of_rival,
        } | moved
        fake = self.discriminator(self.generator(z))
        shown = self.discriminator(real).detach() if loss == "relativistic" else fake
        row["generator/loss"] = generator_loss(loss, shown, fake)
        row |= self.descend({"generator": row["generator/loss"]})
        self._follow()
        return row

    def loss_of_rival(
        self, real: Tensor, fake: Tensor, number: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the discriminator's loss with its penalties, and its outputs."""
        config = self.config
        real, fake = real.requires_grad_(config.r1 > 0), fake.requires_grad_(config.r2 > 0)
        of_real, of_fake = self.discriminator(real), self.discriminator(fake)
        total = discriminator_loss(config.loss, of_real, of_fake)
        if config.r1:
            total = total + config.r1 / 2 * squared_slope(of_real, real).mean()
        if config.r2:
            total = total + config.r2 / 2 * squared_slope(of_fake, fake).mean()
        if config.loss == "wgangp":
            share = self.draws(STREAM_PENALTY, number).random((len(real), 1, 1, 1))
            mixed = mixed_images(real, fake, share)
            total = total + GRADIENT_PENALTY_WEIGHT * gradient_penalty(self.discriminator, mixed)
        return total, of_real, of_fake

    def _follow(self) -> None:
        """Move the average of the generator's weights towards what they are now."""
        if self.average is None:
            return
        for name, value in self.generator.state_dict().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - self.config.ema)
            else:
                self.average[name].copy_(value)

    def sample(self, n: int, seed: int) -> Tensor:
        """Draw samples [n, channels, side, side], of the averaged weights where there are such."""
        if self.average is None:
            return super().sample(n, seed)
        now = optimised.copied(self.generator.state_dict())
        self.generator.load_state_dict(self.average)
        try:
            return super().sample(n, seed)
        finally:
            self.generator.load_state_dict(now)

    def state_dict(self) -> dict[str, Any]:
        """Copy weights, buffers, the optimisers' state, and the averaged weights."""
        state = super().state_dict()
        return (
            state if self.average is None else {**state, "average": optimised.copied(self.average)}
        )

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`."""
        super().load_state_dict(state)
        if self.average is not None:
            self.average = optimised.copied(state["average"])


def build(values: Mapping[str, Any]) -> UsualGAN:
    """Build the training of a configuration, before its first step.

    Raises:
        ValueError: a key or a value is not in `Config`.
        RunError: files of the data are missing or damaged.
    """
    config = Config.parse(values)
    return UsualGAN(config, load_images(config.data, config.folder))
