"""Variational autoencoder of images (Kingma and Welling 2014), of dense or convolutional layers.

The loss is the negative evidence bound in nats an image: the error of the reconstruction, by a
Bernoulli or a normal decoder, and the divergence of the latents from their standard normal prior,
whose weight beta (Higgins 2017) may rise at first (Bowman 2016). A weight that is too high, or a
rate, makes the latents carry nothing: posterior collapse.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from dlcc.recipes import optimised
from dlcc.recipes.data.images import IMAGES, as_shares, load_images
from dlcc.recipes.latents import Latents, divergence
from dlcc.recipes.options import Options, option


@dataclass(frozen=True)
class Config(Options):
    """Configuration, with its defaults and ranges."""

    data: str = option("digits", "what is learned", choices=IMAGES)
    folder: str = option("", "where the files of the data are; digits need none")
    net: str = option("dense", "architecture", choices=("dense", "conv"))
    likelihood: str = option("bernoulli", "of the decoder", choices=("bernoulli", "normal"))
    sd: float = option(0.2, "deviation of a normal decoder", low=1e-3, high=10)
    beta: float = option(1.0, "weight of the divergence", low=0, high=1e6)
    anneal: float = option(0.0, "share of the steps in which beta rises", low=0, high=1)
    latents: int = option(16, "numbers between encoder and decoder", low=1, high=1024)
    width: int = option(16, "channels of the first layer; units of dense ones by 8", low=2)
    dropout: float = option(0.0, "share of the encoder's units that are dropped", low=0, high=0.9)
    optimizer: str = option("adam", "optimiser", choices=("adam", "rmsprop", "sgd"))
    lr: float = option(1e-3, "learning rate", low=0, high=10)
    batch: int = option(64, "images a step", low=2, high=4096)
    steps: int = option(1500, "length in steps", low=1, high=10_000_000)
    seed: int = option(0, "of weights, batches and samples", low=0, high=2**63 - 1)


# --- networks -------------------------------------------------------------------------------------


class VAE(nn.Module):
    """Encoder to means and logarithms of variances, and decoder to logits or means of pixels."""

    def __init__(self, config: Config, channels: int, side: int) -> None:
        super().__init__()
        make = {"dense": _dense, "conv": _conv}[config.net]
        self.encoder, self.decoder = make(config, channels, side)

    def encode(self, x: Tensor) -> Latents:
        """Encode images [n, channels, side, side]."""
        return Latents(*self.encoder(x).chunk(2, dim=1))

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode images without noise."""
        decoded: Tensor = self.decoder(self.encode(x).mean)
        return decoded


def _dense(config: Config, channels: int, side: int) -> tuple[nn.Module, nn.Module]:
    """Fully connected layers."""
    units, pixels = 8 * config.width, channels * side**2
    encoder = nn.Sequential(
        nn.Flatten(),
        nn.Linear(pixels, 2 * units),
        nn.ReLU(),
        nn.Dropout(config.dropout),
        nn.Linear(2 * units, units),
        nn.ReLU(),
        nn.Linear(units, 2 * config.latents),
    )
    decoder = nn.Sequential(
        nn.Linear(config.latents, units),
        nn.ReLU(),
        nn.Linear(units, 2 * units),
        nn.ReLU(),
        nn.Linear(2 * units, pixels),
        nn.Unflatten(1, (channels, side, side)),
    )
    return encoder, decoder


def _conv(config: Config, channels: int, side: int) -> tuple[nn.Module, nn.Module]:
    """Strided and transposed convolutions."""
    width, small = config.width, side // 4
    encoder = nn.Sequential(
        nn.Conv2d(channels, width, 4, 2, 1),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 4, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(config.dropout),
        nn.Linear(2 * width * small**2, 2 * config.latents),
    )
    decoder = nn.Sequential(
        nn.Linear(config.latents, 2 * width * small**2),
        nn.ReLU(),
        nn.Unflatten(1, (2 * width, small, small)),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(width, channels, 4, 2, 1),
    )
    return encoder, decoder


# --- loss -----------------------------------------------------------------------------------------


def reconstruction_error(config: Config, decoded: Tensor, x: Tensor) -> Tensor:
    """Negative log likelihood of images x in [0, 1], in nats an image, averaged over rows.

    That of a normal decoder leaves out its constant, so that it is 0 for perfect images.
    """
    return row_errors(config, decoded, x).mean()


def row_errors(config: Config, decoded: Tensor, x: Tensor) -> Tensor:
    """Negative log likelihood of each image, [n]."""
    if config.likelihood == "bernoulli":
        each = F.binary_cross_entropy_with_logits(decoded, x, reduction="none")
    else:
        each = (decoded - x).square() / (2 * config.sd**2)
    return each.flatten(1).sum(dim=1)


# --- training -------------------------------------------------------------------------------------


class ImageVAE(optimised.OptimisedTraining):
    """Training of encoder and decoder by the evidence bound."""

    penalised_players = ("model",)

    def __init__(self, config: Config, images: NDArray[np.float32]) -> None:
        """Set up the model for images [n, channels, side, side] in [0, 1]."""
        self.config, self.images = config, torch.from_numpy(images)
        with optimised.seeded(config.seed, optimised.STREAM_WEIGHTS):
            self.model = VAE(config, *images.shape[1:3])
        optimizer = optimised.make_optimizer(config.optimizer, self.model.parameters(), config.lr)
        self._ordered, self._order = -1, np.empty(0, dtype=np.int64)
        super().__init__(config.seed, {"model": self.model}, {"model": optimizer})

    def batch(self, step: int) -> Tensor:
        """Images of a step, at its place in the order of its epoch."""
        of_epoch = math.ceil(len(self.images) / self.config.batch)
        epoch, place = divmod(step, of_epoch)
        if epoch != self._ordered:  # a permutation of many images is dear
            draws = self.draws(optimised.STREAM_ORDER, epoch)
            self._ordered, self._order = epoch, draws.permutation(len(self.images))
        rows = self._order[place * self.config.batch : (place + 1) * self.config.batch]
        return self.images[torch.from_numpy(rows)]

    def iterate(self, step: int) -> Mapping[str, Tensor]:
        """Do one iteration; what is recorded is of the state before its update."""
        config, x = self.config, self.batch(step)
        rising = config.anneal * config.steps
        beta = config.beta * min(1.0, step / rising) if rising else config.beta
        latents = self.model.encode(x)
        error = reconstruction_error(config, self.model.decoder(latents.noisy()), x)
        kl = divergence(latents)
        loss = error + beta * kl
        row = {"model/loss": loss, "model/reconstruction": error, "model/kl": kl}
        descended = self.penalised("model", loss, step, batch=x, error=error)
        return row | self.descend({"model": descended})

    def row_losses(self) -> dict[str, Callable[[nn.Module, Tensor], Tensor]]:
        """Give the reconstruction error of each image, without noise in the latents."""
        return {"model": lambda model, x: row_errors(self.config, model(x), x)}

    @torch.no_grad()
    def reconstruct(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Give the first n images, what the model makes of them without noise, and their means."""
        x = self.images[:n]
        self.model.eval()
        mean = self.model.encode(x).mean
        decoded: Tensor = self.model.decoder(mean)
        self.model.train()
        bernoulli = self.config.likelihood == "bernoulli"
        return x, decoded.sigmoid() if bernoulli else decoded.clamp(0, 1), mean

    @torch.no_grad()
    def sample(self, n: int, seed: int) -> Tensor:
        """Decode draws of the prior: means of pixels [n, channels, side, side] in [0, 1]."""
        with optimised.seeded(self.seed, optimised.STREAM_SAMPLES, seed):
            z = torch.randn(n, self.config.latents)
        self.model.eval()
        decoded: Tensor = self.model.decoder(z)
        self.model.train()
        return decoded.sigmoid() if self.config.likelihood == "bernoulli" else decoded.clamp(0, 1)


def build(values: Mapping[str, Any]) -> ImageVAE:
    """Build the training of a configuration, before its first step.

    Raises:
        ValueError: a key or a value is not in `Config`.
        RunError: files of the data are missing or damaged.
    """
    config = Config.parse(values)
    return ImageVAE(config, as_shares(load_images(config.data, config.folder)))
