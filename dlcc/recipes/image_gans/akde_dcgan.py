"""Deep convolutional GAN, the baseline that adaptive kernel density estimation is to steady.

The study gives pixels in [0, 1], a split of 80 to 20 and a batch. Layers, initialisation and rates
are those of the deep convolutional GAN (Radford 2016): strided convolutions, with batch
normalisation but for the generator's last and the discriminator's first, normal weights of standard
deviation .02, and Adam at 2e-4 with β₁ of .5. Players take turns; the discriminator begins.

`recipe` names ways to steady it that the study does not compare itself with: each is a set of
values for the other keys, which may be set as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from dlcc.recipes import optimised
from dlcc.recipes.averaged_weights import DECAY, AveragedWeights
from dlcc.recipes.data.images import IMAGES, as_shares, load_images
from dlcc.recipes.image_gan import ImageGAN
from dlcc.recipes.image_gans import usual_gan
from dlcc.recipes.optimistic_adam import OptimisticAdam
from dlcc.recipes.options import Options, option

ZDIM, TRAINED_SHARE, WEIGHTS_SD = 100, 0.8, 0.02
_HELD_OUT = 256  # images on which the discriminator is tried, at most
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "baseline": {},
    "lr4e-3": {"lr": 4e-3, "ema": DECAY},
    "optimistic": {"lr": 4e-3, "optimizer": "optimistic", "ema": DECAY},
    "ttur": {"lr": 1e-4, "rate_ratio": 4.0, "ema": DECAY},
    "spectral-norm": {"norm": "spectral", "ema": DECAY},
    "gradient-penalty": {"gp": 10.0, "ema": DECAY},
    "r1": {"lr": 1e-3, "r1": 10.0, "ema": DECAY},
    "r1r2-relativistic": {"loss": "relativistic", "lr": 1e-3, "r1": 1.0, "r2": 1.0, "ema": DECAY},
    "fixed": {"lr": 4e-3, "optimizer": "optimistic", "r1": 1.0, "ema": DECAY},
}
"""Recipe -> values that it stands for: what the field does against collapse and instability.

Rates of their own (Heusel 2017), spectral norm (Miyato 2018), the gradient penalty (Gulrajani 2017)
beside this loss (Fedus 2018), R1 (Mescheder 2018), relativistic pairing with R1 and R2 (Huang
2024), optimistic Adam (Daskalakis 2018), and together what was found best on digits (`fixed`)."""


@dataclass(frozen=True)
class Config(Options):
    """Configuration, with its defaults and ranges."""

    data: str = option("digits", "what is learned", choices=IMAGES)
    folder: str = option("", "where the files of the data are; digits need none")
    recipe: str = option("baseline", "name of values for the keys below", choices=tuple(RECIPES))
    loss: str = option("ns", "losses of the players", choices=("ns", "relativistic"))
    norm: str = option("batch", "normalisation of the rival", choices=("batch", "spectral", "none"))
    lr: float = option(2e-4, "learning rate of the generator", low=0, high=1)
    rate_ratio: float = option(1.0, "discriminator's rate over that", low=0, high=1000)
    optimizer: str = option("adam", "optimiser of both", choices=("adam", "optimistic"))
    beta1: float = option(0.5, "first decay of both optimisers", low=0, high=0.999)
    r1: float = option(0.0, "weight of the penalty on D's gradient at images", low=0, high=1e4)
    r2: float = option(0.0, "weight of the same at samples", low=0, high=1e4)
    gp: float = option(0.0, "weight of the gradient penalty between them", low=0, high=1e4)
    ema: float = option(0.0, "decay of the average of G's weights; 0 for none", low=0, high=0.9999)
    width: int = option(64, "channels next to the images; twice as many inside", low=1, high=1024)
    batch: int = option(32, "rows a step", low=2, high=4096)
    epochs: int = option(45, "passes through the data", low=1, high=100_000)
    steps: int = option(0, "length in steps; 0 leaves it to epochs", low=0, high=10_000_000)
    seed: int = option(0, "of split, weights, batches and samples", low=0, high=2**63 - 1)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Check plain values; those left out are the recipe's, or else the defaults.

        Raises:
            ValueError: for an unknown key, or a value of the wrong type or out of range.
        """
        stands_for = RECIPES.get(str(values.get("recipe", "baseline")), {})
        return super().parse({**stands_for, **values})


def length(config: Mapping[str, Any], images: int) -> int:
    """Count the steps of a training on a number of images, the held-out ones left out."""
    return int(config["steps"] or config["epochs"] * math.ceil(images / config["batch"]))


# --- networks -------------------------------------------------------------------------------------


def generator(channels: int, side: int, width: int = 64) -> nn.Module:
    """Make the generator [n, 100] → [n, channels, side, side] in [0, 1]."""
    small = side // 4
    return nn.Sequential(
        nn.Linear(ZDIM, 2 * width * small**2, bias=False),
        nn.Unflatten(1, (2 * width, small, small)),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, channels, 4, 2, 1),
        nn.Sigmoid(),
    )


def discriminator(channels: int, side: int, width: int = 64, norm: str = "batch") -> nn.Module:
    """Make the discriminator [n, channels, side, side] → [n, 1], raw."""
    batch = norm == "batch"
    return nn.Sequential(
        nn.Conv2d(channels, width, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1, bias=not batch),
        nn.BatchNorm2d(2 * width) if batch else nn.Identity(),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * width * (side // 4) ** 2, 1),
    )


def make_players(
    channels: int, side: int, width: int = 64, norm: str = "batch"
) -> dict[str, nn.Module]:
    """Make both players, initialised from torch's generator."""
    players = {
        "generator": generator(channels, side, width),
        "discriminator": discriminator(channels, side, width, norm),
    }
    for network in players.values():
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.normal_(module.weight, std=WEIGHTS_SD)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, mean=1.0, std=WEIGHTS_SD)
    if norm == "spectral":
        for module in players["discriminator"].modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                spectral_norm(module)
    return players


# --- losses ---------------------------------------------------------------------------------------


def discriminator_loss(real: Tensor, fake: Tensor, loss: str = "ns") -> Tensor:
    """Cross-entropy of raw outputs [n, 1] (Goodfellow 2014, eq. 1), or relativistic pairing.

    The pairing is that of Jolicoeur-Martineau 2019 and Huang 2024, eq. 2.
    """
    if loss == "relativistic":
        return F.softplus(fake - real).mean()
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(fake: Tensor, real: Tensor | float = 0.0, loss: str = "ns") -> Tensor:
    """Non-saturating loss of raw outputs [n, 1] (Goodfellow 2014, section 3), or the pairing's."""
    if loss == "relativistic":
        return F.softplus(real - fake).mean()
    return F.softplus(-fake).mean()


# --- training -------------------------------------------------------------------------------------


class DCGAN(ImageGAN):
    """Training that updates the discriminator, then the generator against it on the same noise."""

    penalised_players = ("discriminator",)

    def __init__(self, config: Config, images: NDArray[np.float32]) -> None:
        """Set up the players for images [n, channels, side, side] in [0, 1], and split these."""
        self.config = config
        rng = np.random.default_rng([config.seed, optimised.STREAM_ROWS])
        order = rng.permutation(len(images))
        trained = round(TRAINED_SHARE * len(images))
        with optimised.seeded(config.seed, optimised.STREAM_WEIGHTS):
            _, channels, side, _ = images.shape
            players = make_players(channels, side, config.width, config.norm)
        make = {"adam": torch.optim.Adam, "optimistic": OptimisticAdam}[config.optimizer]
        rates = {"generator": config.lr, "discriminator": config.lr * config.rate_ratio}
        adam = {
            name: make(network.parameters(), lr=rates[name], betas=(config.beta1, 0.999))
            for name, network in players.items()
        }
        super().__init__(
            config.seed, players, adam, images[order[:trained]], batch=config.batch, noise=ZDIM
        )
        self.held_out = torch.from_numpy(images[order[trained:][:_HELD_OUT]])
        self.average = AveragedWeights(self.generator, config.ema) if config.ema else None

    def iterate(self, step: int) -> Mapping[str, Tensor]:
        """Do one iteration; each player's figures are of the state before its own update.

        Outputs are probabilities; `discriminator/held_out` is that of images which no batch brings,
        if there are any.
        """
        real, z = self.batch(step)
        fake = self.generator(z).detach()
        rival_loss, of_real, of_fake = self.loss_of_rival(real, fake, step)
        row = {
            "discriminator/real": torch.sigmoid(of_real).mean(),
            "discriminator/fake": torch.sigmoid(of_fake).mean(),
            "discriminator/loss": rival_loss,
        }
        descended = self.penalised("discriminator", rival_loss, step, real=real, fake=fake)
        row |= self.descend({"discriminator": descended})
        if len(self.held_out) and step % -(-len(self.images) // self.config.batch) == 0:
            self.discriminator.eval()
            with torch.no_grad():
                row["discriminator/held_out"] = self.discriminator(self.held_out).sigmoid().mean()
            self.discriminator.train()
        of_fake = self.discriminator(self.generator(z))
        pairs = self.config.loss == "relativistic"
        shown = self.discriminator(real).detach() if pairs else 0.0
        loss = generator_loss(of_fake, shown, self.config.loss)
        row["generator/loss"] = loss
        row |= self.descend({"generator": loss})
        if self.average is not None:
            self.average.follow(step)
        return row

    def loss_of_rival(self, real: Tensor, fake: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the discriminator's loss with its penalties, and its outputs."""
        config = self.config
        real, fake = real.requires_grad_(config.r1 > 0), fake.requires_grad_(config.r2 > 0)
        of_real, of_fake = self.discriminator(real), self.discriminator(fake)
        total = discriminator_loss(of_real, of_fake, config.loss)
        if config.r1:
            total = total + config.r1 / 2 * usual_gan.squared_slope(of_real, real).mean()
        if config.r2:
            total = total + config.r2 / 2 * usual_gan.squared_slope(of_fake, fake).mean()
        if config.gp:
            share = self.draws(usual_gan.STREAM_PENALTY, step).random((len(real), 1, 1, 1))
            mixed = usual_gan.mixed_images(real, fake, share)
            total = total + config.gp * usual_gan.gradient_penalty(self.discriminator, mixed)
        return total, of_real, of_fake

    def sample(self, n: int, seed: int) -> Tensor:
        """Draw samples [n, channels, side, side], of the averaged weights where there are such."""
        if self.average is None:
            return super().sample(n, seed)
        with self.average.applied():
            return super().sample(n, seed)

    def state_dict(self) -> dict[str, Any]:
        """Copy weights, buffers, the optimisers' state, and the averaged weights."""
        state = super().state_dict()
        return state if self.average is None else {**state, "average": self.average.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`."""
        super().load_state_dict(state)
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def build(values: Mapping[str, Any]) -> DCGAN:
    """Build the training of a configuration, before its first step.

    Raises:
        ValueError: a key or a value is not in `Config`.
        RunError: files of the data are missing or damaged.
    """
    config = Config.parse(values)
    return DCGAN(config, as_shares(load_images(config.data, config.folder)))
