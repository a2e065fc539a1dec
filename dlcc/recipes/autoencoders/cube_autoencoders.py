"""Autoencoders of points on a cube, from the study that controls their latents.

f1 adds noise to the latents, at a signal-to-noise ratio of what they are; f2 noise of a fixed
variance, and pulls the latents to mean 0 and variance 1. f3 is a variational autoencoder
(Kingma and Welling 2014), f4 has the maximum mean discrepancy of latents and prior in the place of
the divergence, f5 both; beta is f3 with a lighter divergence that sets in slowly (Bowman 2016).
sliced mends their samples: an encoder that also takes noise, so that its latents can be the prior
itself, and sliced Wasserstein distances of latents to prior and of decoded prior to data.

As errors are averaged over coordinates, a divergence of weight 1 is that of a decoder of variance
3/2 by the evidence bound, above the 5/9 of the surface: f3 and f5 lose their latents to it,
and beta mends them. The paper states neither layers nor rates. Here both networks have two hidden
layers of 128 units, and Adam's rate falls along half a wave. An epoch is 10,000 points, which are
drawn anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcc.metrics import noise_variance
from dlcc.recipes import optimised
from dlcc.recipes.data.points import POINTS
from dlcc.recipes.distances import mmd, sliced_wasserstein
from dlcc.recipes.latents import Latents, divergence, information_rate, latent_penalty, like
from dlcc.recipes.options import Options, option

MODELS = ("f1", "f2", "f3", "f4", "f5", "beta", "sliced")
NOISY, VARIATIONAL = ("f1", "f2"), ("f3", "f4", "f5", "beta")
WIDTH, EPOCH, RATE = 128, 10_000, 2e-3
_ENCODER_NOISE = 3  # numbers that the encoder of `sliced` takes beside a point
_FITTED_ON = 4096  # latents that a fitted prior is fitted to when samples are made


@dataclass(frozen=True)
class Config(Options):
    """Configuration, with its defaults and ranges."""

    model: str = option("f2", "which autoencoder", choices=MODELS)
    data: str = option("cube_surface", "what is learned", choices=("cube_surface", "cube"))
    latents: int = option(6, "numbers between encoder and decoder", low=1, high=1024)
    snr: float = option(15.0, "signal over noise in the latents, dB", low=-60, high=100)
    beta: float = option(1.0, "weight of the divergence", low=0, high=1e6)
    mmd: float = option(1.0, "weight of the discrepancy", low=0, high=1e6)
    anneal_beta: float = option(0.0, "share of the steps in which beta rises", low=0, high=1)
    anneal_mmd: float = option(0.0, "share of the steps in which mmd rises", low=0, high=1)
    prior: str = option("standard", "of the latents", choices=("standard", "fitted"))
    epochs: int = option(150, "times 10,000 points", low=1, high=100_000)
    batch: int = option(256, "rows a step", low=4, high=EPOCH)
    seed: int = option(0, "of weights, batches and samples", low=0, high=2**63 - 1)


def length(config: Config) -> int:
    """Number of steps of the training."""
    return config.epochs * math.ceil(EPOCH / config.batch)


# --- networks -------------------------------------------------------------------------------------


class Autoencoder(nn.Module):
    """Pair of networks: points [n, 3] → latents [n, latents] → points [n, 3]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        outputs = config.latents * (2 if config.model in VARIATIONAL else 1)
        self.encoder = network(3 + _ENCODER_NOISE * (config.model == "sliced"), outputs)
        self.decoder = network(config.latents, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode points without noise; variational models decode the means."""
        decoded: Tensor = self.decoder(self.encoder(x)[:, : self.decoder[0].in_features])
        return decoded


def network(inputs: int, outputs: int) -> nn.Sequential:
    """Make a network with two hidden layers of rectified units."""
    return nn.Sequential(
        nn.Linear(inputs, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, WIDTH),
        nn.ReLU(),
        nn.Linear(WIDTH, outputs),
    )


# --- training -------------------------------------------------------------------------------------


class CubeAutoencoder(optimised.OptimisedTraining):
    """Training of encoder and decoder by one loss."""

    penalised_players = ("autoencoder",)

    def __init__(self, config: Config) -> None:
        self.config, self.length = config, length(config)
        with optimised.seeded(config.seed, optimised.STREAM_WEIGHTS):
            self.model = Autoencoder(config)
        optimizer = torch.optim.Adam(self.model.parameters(), lr=RATE)
        super().__init__(config.seed, {"autoencoder": self.model}, {"autoencoder": optimizer})

    def encode(self, x: Tensor) -> Latents:
        """Encode points [n, 3]."""
        config = self.config
        if config.model == "sliced":
            mean = self.model.encoder(torch.cat([x, torch.randn(len(x), _ENCODER_NOISE)], dim=1))
            return Latents(mean, torch.full((config.latents,), -math.inf))
        encoded = self.model.encoder(x)
        if config.model in VARIATIONAL:
            return Latents(*encoded.chunk(2, dim=1))
        noise = torch.full((config.latents,), noise_variance(config.snr))
        return Latents(
            encoded, (noise * encoded.var(dim=0) if config.model == "f1" else noise).log()
        )

    def prior(self, z: Tensor, n: int) -> Tensor:
        """Draw [n, latents] from the prior, which may be fitted to latents z [m, latents]."""
        return like(z, n) if self.config.prior == "fitted" else torch.randn(n, z.shape[1])

    def iterate(self, step: int) -> Mapping[str, Tensor]:
        """Do one iteration; what is recorded is of the state before its update."""
        config = self.config
        done = step / self.length
        self.anneal_rate("autoencoder", RATE, done)
        x = self.points(config.batch, optimised.STREAM_BATCHES, step)
        latents = self.encode(x)
        z = latents.noisy()
        terms = {"reconstruction": (self.model.decoder(z) - x).square().mean()}
        loss = terms["reconstruction"]
        if config.model == "f2":
            terms["latent_penalty"] = latent_penalty(latents)
            loss = loss + terms["latent_penalty"]
        if config.beta:
            terms["kl"] = divergence(latents)
            loss = loss + annealed(config.beta, config.anneal_beta, done) * terms["kl"]
        if config.mmd:
            drawn = self.prior(z, len(z))
            terms["mmd"] = mmd(z, drawn, 2 * float(drawn.var(dim=0).sum()))  # about the median
            loss = loss + annealed(config.mmd, config.anneal_mmd, done) * terms["mmd"]
        if config.model == "sliced":
            drawn = self.prior(z, len(z))
            terms["latent_distance"] = sliced_wasserstein(z, drawn)
            terms["data_distance"] = sliced_wasserstein(self.model.decoder(drawn), x)
            loss = loss + terms["latent_distance"] + terms["data_distance"]
        if config.model in NOISY:
            terms["information_rate"] = information_rate(latents)
        row = {f"autoencoder/{name}": value for name, value in ({"loss": loss} | terms).items()}
        error = terms["reconstruction"]
        descended = self.penalised("autoencoder", loss, step, batch=x, error=error)
        return row | self.descend({"autoencoder": descended})

    def row_losses(self) -> dict[str, Callable[[nn.Module, Tensor], Tensor]]:
        """Give the squared error of each point, with its noise."""

        def of_rows(model: nn.Module, x: Tensor) -> Tensor:
            decoded: Tensor = self.model.decoder(self.encode(x).noisy())
            return (decoded - x).square().mean(dim=1)

        return {"autoencoder": of_rows}

    def points(self, n: int, stream: int, number: int) -> Tensor:
        """Draw points of the data, [n, 3]."""
        return torch.from_numpy(POINTS[self.config.data].draw(n, self.draws(stream, number)))

    @torch.no_grad()
    def reconstruct(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Give n points of the data, what the model makes of them, and the means of their latents.

        The points are the same at every call.
        """
        with optimised.seeded(self.seed, optimised.STREAM_SAMPLES, 0):
            x = self.points(n, optimised.STREAM_SAMPLES, 0)
            mean = self.encode(x).mean
            decoded: Tensor = self.model.decoder(mean)
        return x, decoded, mean

    @torch.no_grad()
    def sample(self, n: int, seed: int) -> Tensor:
        """Decode draws of the prior, [n, 3]; f1 and f2, which have none, reconstruct points."""
        noisy = self.config.model in NOISY
        with optimised.seeded(self.seed, optimised.STREAM_SAMPLES, seed):
            x = self.points(n if noisy else _FITTED_ON, optimised.STREAM_SAMPLES, seed)
            z = self.encode(x).noisy()
            made: Tensor = self.model.decoder(z if noisy else self.prior(z, n))
        return made


def annealed(weight: float, share: float, done: float) -> float:
    """Weight min(1, done / share) · `weight`: it rises while `done` rises to `share`."""
    return weight * min(1.0, done / share) if share else weight


def build(values: Mapping[str, Any]) -> CubeAutoencoder:
    """Build the training of a configuration, before its first step.

    Raises:
        ValueError: a key or a value is not in `Config`.
    """
    return CubeAutoencoder(Config.parse(values))
