"""Losses of the players of a GAN, row by row: the one place in torch where they are defined.

Recorded trainings state their own in `training.py`, for a run's source is what proofs read; tests
hold the two together. `dlcc.stages.consistency.objectives` has them again, in numpy and on purpose
independent, to check records against.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional as F

RowLoss = Callable[[Tensor], Tensor]
"""Loss of each row, from raw outputs of the discriminator, element by element."""


class AdversarialLoss(NamedTuple):
    """Losses of both players, of raw outputs [...] of the discriminator; their means are minimised.

    >>> import torch
    >>> loss = ADVERSARIAL_LOSSES["hinge"]
    >>> loss.discriminator(torch.tensor([0.5, 2.0]), torch.tensor([-3.0, 0.0])).tolist()
    [0.5, 1.0]
    """

    real: RowLoss
    """Discriminator's part on training data, of D(x)."""
    fake: RowLoss
    """Discriminator's part on samples, of D(G(z))."""
    generator: RowLoss
    """Generator's loss, of D(G(z))."""

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Sum of the discriminator's parts on outputs `real` and `fake`, of the same shape."""
        return self.real(real) + self.fake(fake)


def _cross_entropy_real(real: Tensor) -> Tensor:
    """Cross-entropy −log σ(D(x)) of real rows."""
    return F.softplus(-real)


def _cross_entropy_fake(fake: Tensor) -> Tensor:
    """Cross-entropy −log(1 − σ(D(G(z)))) of samples."""
    return F.softplus(fake)


def _linear(fake: Tensor) -> Tensor:
    """Negative raw output."""
    return -fake


ADVERSARIAL_LOSSES: Mapping[str, AdversarialLoss] = {
    "ns": AdversarialLoss(_cross_entropy_real, _cross_entropy_fake, lambda z: F.softplus(-z)),
    "mm": AdversarialLoss(_cross_entropy_real, _cross_entropy_fake, lambda z: -F.softplus(z)),
    "ls": AdversarialLoss(
        lambda x: 0.5 * (x - 1) ** 2, lambda z: 0.5 * z**2, lambda z: 0.5 * (z - 1) ** 2
    ),
    "hinge": AdversarialLoss(lambda x: F.relu(1 - x), lambda z: F.relu(1 + z), _linear),
    "wgangp": AdversarialLoss(_linear, lambda z: z, _linear),
}
"""Losses by the short names of `dlcc.kinds.gan`: Goodfellow 2014 (ns, mm), Mao 2017 with its ½
(ls), Lim and Ye 2017 (hinge), Gulrajani 2017 without its penalty (wgangp)."""
