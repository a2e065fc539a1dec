"""Losses and penalties of N discriminators and generators of images, as `usual_gan` has them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcc.ensembles.objectives import Grouped, MemberLoss
from dlcc.recipes.adversarial_losses import ADVERSARIAL_LOSSES
from dlcc.recipes.image_gans.usual_gan import GRADIENT_PENALTY_WEIGHT, Config

PROBABILITY_LOSSES = ("ns", "mm")


class Objectives:
    """Losses of all members under their configurations."""

    def __init__(self, configs: Sequence[Config], dtype: torch.dtype) -> None:
        losses = [config.loss for config in configs]
        self.discriminator = Grouped(losses, _discriminator)
        """Losses [N] without penalties, from raw outputs [N, 2 n] with the real rows first."""
        self.generator = Grouped(losses, _generator)
        """Losses [N], from raw outputs [N, 2 n] on the rows that are shown and on samples."""
        self.paired = _places([loss == "relativistic" for loss in losses])
        """Members whose generators' losses see outputs on real images."""
        self.mixed = _places([loss == "wgangp" for loss in losses])
        """Members whose penalty is at mixtures of real images and samples."""
        at_real = [i for i, config in enumerate(configs) if config.r1]
        at_fake = [i for i, config in enumerate(configs) if config.r2]
        weights = [configs[i].r1 / 2 for i in at_real] + [configs[i].r2 / 2 for i in at_fake]
        self._weights = torch.tensor(weights, dtype=dtype)
        self._penalised = torch.tensor(at_real + at_fake + self.mixed.tolist(), dtype=torch.long)
        on_fake = [len(configs) + i for i in at_fake]
        on_mixed = [2 * len(configs) + i for i in range(len(self.mixed))]
        self.sloped = torch.tensor(at_real + on_fake + on_mixed, dtype=torch.long)
        """Calls whose slopes are penalised: all on real images come first, then all on samples,
        then those of `mixed`."""
        self._probability = torch.tensor([[loss in PROBABILITY_LOSSES] for loss in losses])

    def outputs(self, logits: Tensor) -> Tensor:
        """Convert raw outputs to what is recorded: probabilities where the loss states them."""
        return torch.where(self._probability, torch.sigmoid(logits), logits)

    def penalty(self, squared_slopes: Tensor) -> Tensor:
        """Penalties [N] of the discriminators' losses from the squared slopes of `sloped`."""
        plain, mixed = squared_slopes.tensor_split([len(self._weights)])
        found = [
            self._weights * plain.mean(1),
            GRADIENT_PENALTY_WEIGHT * (mixed.sqrt() - 1).square().mean(1),
        ]
        zeros = squared_slopes.new_zeros(len(self._probability))
        return zeros.index_add(0, self._penalised, torch.cat(found))


def _places(chosen: Sequence[bool]) -> Tensor:
    """Numbers of the members that are chosen."""
    return torch.tensor([i for i, one in enumerate(chosen) if one], dtype=torch.long)


def _discriminator(loss: str) -> MemberLoss:
    """Loss of the discriminators, of outputs [N, 2 n] with the real rows first."""

    def members(logits: Tensor) -> Tensor:
        """Loss of each member, [N]."""
        real, fake = logits.chunk(2, dim=1)
        if loss == "relativistic":
            return F.softplus(fake - real).mean(1)
        of_rows = ADVERSARIAL_LOSSES[loss]
        return of_rows.real(real).mean(1) + of_rows.fake(fake).mean(1)

    return members


def _generator(loss: str) -> MemberLoss:
    """Loss of the generators, of outputs [N, 2 n] with those that are shown first."""

    def members(logits: Tensor) -> Tensor:
        """Loss of each member, [N]."""
        shown, fake = logits.chunk(2, dim=1)
        if loss == "relativistic":
            return F.softplus(shown - fake).mean(1)
        return ADVERSARIAL_LOSSES[loss].generator(fake).mean(1)

    return members
