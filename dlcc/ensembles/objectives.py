"""Losses and penalties of N members, [N], from raw outputs [N, n]; `small_gan` names the papers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

from dlcc.ensembles.stacked import Stack, input_gradients
from dlcc.recipes.adversarial_losses import ADVERSARIAL_LOSSES, RowLoss
from dlcc.recipes.small_gan.training import (
    GRADIENT_PENALTY_WEIGHT,
    PROBABILITY_LOSSES,
    Batch,
    Config,
)

T = TypeVar("T")
MemberLoss = Callable[[Tensor], Tensor]
"""Loss of each member [N], from raw outputs [N, n] of its discriminator."""


def _discriminator(parts: tuple[RowLoss, RowLoss]) -> MemberLoss:
    """Loss of the discriminators, of outputs [N, 2·batch] with the real rows first."""
    on_real, on_fake = parts

    def members(logits: Tensor) -> Tensor:
        """Loss of each member, [N]."""
        real, fake = logits.chunk(2, dim=1)
        return on_real(real).mean(1) + on_fake(fake).mean(1)

    return members


def _generator(part: RowLoss) -> MemberLoss:
    """Loss of the generators, of outputs [N, batch]."""
    return lambda fake: part(fake).mean(1)


def has_penalty(config: Config) -> bool:
    """Whether the discriminator's loss has a penalty under this configuration."""
    return config.loss == "wgangp" or config.r1 > 0


class Grouped(Generic[T]):
    """Loss of each member: every loss that occurs is computed once, for its members alone."""

    def __init__(self, kinds: Sequence[T], loss: Callable[[T], MemberLoss]) -> None:
        places = {kind: [i for i, k in enumerate(kinds) if k == kind] for kind in kinds}
        self._groups = [(loss(kind), torch.tensor(at)) for kind, at in places.items()]
        self._back = torch.argsort(torch.tensor([i for at in places.values() for i in at]))

    def __call__(self, logits: Tensor) -> Tensor:
        if len(self._groups) == 1:
            return self._groups[0][0](logits)
        parts = [f(logits.index_select(0, at)) for f, at in self._groups]
        return torch.cat(parts).index_select(0, self._back)


class Objectives:
    """Losses of all members under their configurations."""

    def __init__(self, configs: Sequence[Config], dtype: torch.dtype) -> None:
        losses = [ADVERSARIAL_LOSSES[config.loss] for config in configs]
        self.discriminator = Grouped([(one.real, one.fake) for one in losses], _discriminator)
        """Losses [N] of the discriminators, without penalties, from raw outputs [N, 2·batch] with
        the real rows first."""
        self.generator = Grouped([one.generator for one in losses], _generator)
        """Losses [N] of the generators, from raw outputs [N, batch]."""
        probability = [c.loss in PROBABILITY_LOSSES for c in configs]
        self._probability = torch.tensor(probability).unsqueeze(1)
        self._all_probability, self._any_probability = all(probability), any(probability)
        between = [i for i, c in enumerate(configs) if c.loss == "wgangp"]
        at_real = [i for i, c in enumerate(configs) if c.r1 > 0]
        self.penalised = any(has_penalty(config) for config in configs)
        """Whether any member's loss has a penalty."""
        self._between, self._at_real = torch.tensor(between), torch.tensor(at_real)
        self._members = torch.tensor(between + at_real, dtype=torch.long)
        self._gamma = torch.tensor([configs[i].r1 for i in at_real], dtype=dtype)

    def outputs(self, logits: Tensor) -> Tensor:
        """Convert raw outputs to what is recorded: probabilities where the loss states them."""
        if self._all_probability:
            return torch.sigmoid(logits)
        if self._any_probability:
            return torch.where(self._probability, torch.sigmoid(logits), logits)
        return logits

    def penalty(self, discriminator: Stack, batch: Batch, fake: Tensor) -> Tensor:
        """Weighted penalties [N] of the discriminators' losses; 0 where there are none.

        They depend on the discriminators' `leaves`.
        """
        weights = [leaf.index_select(0, self._members) for leaf in discriminator.leaves]
        biases = [layer.bias.index_select(0, self._members) for layer in discriminator.layers]
        found = input_gradients(weights, biases, self._points(batch, fake))
        split = len(self._between)
        parts = []
        if split > 0:
            norms = torch.linalg.vector_norm(found[:split], dim=2)
            parts.append(GRADIENT_PENALTY_WEIGHT * ((norms - 1) ** 2).mean(1))
        if len(self._at_real):
            parts.append(self._gamma * 0.5 * (found[split:] ** 2).sum(2).mean(1))
        zeros = fake.new_zeros(len(fake))
        return zeros.index_add(0, self._members, torch.cat(parts))

    def _points(self, batch: Batch, fake: Tensor) -> Tensor:
        """Points at which the input gradients are penalised, [n, batch, features]."""
        parts = []
        if len(self._between):
            at = self._between
            real, made, mixing = (t.index_select(0, at) for t in (batch.real, fake, batch.mixing))
            parts.append(mixing * real + (1 - mixing) * made)
        if len(self._at_real):
            parts.append(batch.real.index_select(0, self._at_real))
        return torch.cat(parts)
