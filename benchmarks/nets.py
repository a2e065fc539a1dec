"""Discriminators that benchmarks of the landscape share, and their loss."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

BATCH = 128


def convolutional() -> nn.Sequential:
    """954,093 parameters on 28 × 28 pictures."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 5, 1, 2),
        nn.LeakyReLU(0.3),
        nn.Conv2d(64, 128, 5, 2, 2),
        nn.LeakyReLU(0.3),
        nn.Conv2d(128, 230, 5, 2, 2),
        nn.LeakyReLU(0.3),
        nn.Flatten(),
        nn.Linear(230 * 49, 1),
    )


def fully_connected() -> nn.Sequential:
    """Four layers, 927,745 parameters."""
    return nn.Sequential(
        nn.Linear(784, 512),
        nn.LeakyReLU(0.3),
        nn.Linear(512, 512),
        nn.LeakyReLU(0.3),
        nn.Linear(512, 512),
        nn.LeakyReLU(0.3),
        nn.Linear(512, 1),
    )


def softplus(model: nn.Module, batch: Tensor) -> Tensor:
    """The non-saturating loss of each row."""
    return F.softplus(-model(batch)).flatten()


def ring() -> nn.Sequential:
    """Of points in the plane: 1,185 parameters."""
    return nn.Sequential(
        nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)
    )
