"""Landscape of a recipe's GAN while it trains: what of each row is measured, and when."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dlcc.landscape.batches import PerSampleLoss
from dlcc.recipes.adversarial_losses import ADVERSARIAL_LOSSES
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.small_gan.training import Batch, SmallGAN
from dlcc.runs import Recorder
from dlcc.runs.measuring import MEASURES


class SmallGANLook:
    """Observer that measures a GAN's rows now and then, and its landscape at snapshots."""

    def __init__(self, recorder: Recorder, training: SmallGAN) -> None:
        self.training = training
        self.measure = recorder.measure(losses(training), what=MEASURES)

    def at_row(self, step: int) -> None:
        """Measure after the row of a step was logged, where it is due.

        The next batch is taken: on the batch of a step the gradient is smaller after that step than
        elsewhere.
        """
        if self.measure.is_due(step):
            self.measure(step, batches(self.training, step + 1))

    def at_snapshot(self, step: int) -> None:
        """Measure the landscape after the snapshot of a step was taken."""
        self.measure.landscape(step, batches(self.training, step), penalised_losses(self.training))


def batches(training: SmallGAN, step: int) -> dict[str, Batch]:
    """Batch of a step as the players' losses take it, by player."""
    return dict.fromkeys(("discriminator", "generator"), training.batch(step))


def losses(training: SmallGAN) -> dict[str, PerSampleLoss]:
    """Loss of each row by player, without penalties."""
    of_rows = ADVERSARIAL_LOSSES[training.config.loss]

    def of_discriminator(model: nn.Module, batch: Batch) -> Tensor:
        """Discriminator's loss of each row, [n]."""
        fake = training.generator(batch.noise)
        return of_rows.discriminator(model(batch.real).squeeze(1), model(fake).squeeze(1))

    def of_generator(model: nn.Module, batch: Batch) -> Tensor:
        """Generator's loss of each row, [n]."""
        return of_rows.generator(training.discriminator(model(batch.noise)).squeeze(1))

    return {"discriminator": of_discriminator, "generator": of_generator}


def penalised_losses(training: SmallGAN) -> dict[str, PerSampleLoss]:
    """Loss of each row by player, with the discriminator's penalties, which take gradients."""
    plain, config = losses(training), training.config

    def of_discriminator(model: nn.Module, batch: Batch) -> Tensor:
        """Discriminator's loss of each row with its penalties, [n]."""
        found = plain["discriminator"](model, batch)
        if config.loss == "wgangp":
            fake = training.generator(batch.noise)
            between = batch.mixing * batch.real + (1 - batch.mixing) * fake
            steepness = torch.linalg.vector_norm(_slopes(model, between), dim=1)
            found = found + small_gan.GRADIENT_PENALTY_WEIGHT * (steepness - 1) ** 2
        if config.r1 > 0:
            found = found + 0.5 * config.r1 * _slopes(model, batch.real).square().sum(dim=1)
        return found

    return {**plain, "discriminator": of_discriminator}


def _slopes(model: nn.Module, x: Tensor) -> Tensor:
    """Gradients of the outputs by the inputs x, [n, features]."""
    x = x if x.requires_grad else x.detach().requires_grad_()
    (found,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
    return found
