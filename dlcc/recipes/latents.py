"""Latents that an encoder makes of data, and the penalties on them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Latents(NamedTuple):
    """Latents of n points."""

    mean: Tensor
    """Mean of each latent, before noise, [n, latents]."""
    log_variance: Tensor
    """Logarithm of the noise's variance, [n, latents] or [latents]; −∞ for no noise."""

    def noisy(self) -> Tensor:
        """Draw latents with noise from torch's generator, [n, latents]."""
        return self.mean + (self.log_variance / 2).exp() * torch.randn_like(self.mean)


def divergence(latents: Latents) -> Tensor:
    """Mean over rows of KL(N(μ, σ²) ‖ N(0, 1)) in nats (Kingma and Welling 2014, appendix B)."""
    mean, log_variance = latents
    each = (mean.square() + log_variance.exp() - log_variance - 1) / 2
    return each.sum(dim=1).mean()


def latent_penalty(latents: Latents) -> Tensor:
    """Penalty m² + (v − 1)² on the rows' mean m and variance v, averaged over latents."""
    mean, variance = latents.mean.mean(dim=0), latents.mean.var(dim=0)
    return (mean.square() + (variance - 1).square()).mean()


def information_rate(latents: Latents) -> Tensor:
    """Information rate ½ log2(1 + v/σ²) of Gaussian latents of variance v, averaged, in bits."""
    return (0.5 * torch.log2(1 + latents.mean.var(dim=0) / latents.log_variance.exp())).mean()


def like(z: Tensor, n: int) -> Tensor:
    """Draw rows [n, d] from a normal distribution with mean and covariance of rows z [m, d].

    The draws come from torch's generator; no gradient goes to z.
    """
    mean = z.detach().mean(dim=0)
    drawn: Tensor = mean + torch.randn(n, len(z)) @ (z.detach() - mean) / (len(z) - 1) ** 0.5
    return drawn
