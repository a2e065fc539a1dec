"""Batches, noise and samples that GANs on images have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dlcc.recipes import optimised


class ImageGAN(optimised.OptimisedTraining):
    """Generator and discriminator of images, which come in a new order in each epoch."""

    def __init__(
        self,
        seed: int,
        players: Mapping[str, nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
        images: NDArray[np.float32],
        *,
        batch: int,
        noise: int,
    ) -> None:
        """Set up players for `images` [n, channels, side, side], with `noise` numbers a sample."""
        super().__init__(seed, players, optimizers)
        self.generator, self.discriminator = players["generator"], players["discriminator"]
        self.images = torch.from_numpy(images)
        self._batch, self._noise = batch, noise
        self._epoch, self._order = -1, torch.zeros(0)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Batch of a step: images at its place in the order of its epoch, and z [n, noise]."""
        of_epoch = math.ceil(len(self.images) / self._batch)
        epoch, place = divmod(step, of_epoch)
        if epoch != self._epoch:
            order = self.draws(optimised.STREAM_ORDER, epoch).permutation(len(self.images))
            self._epoch, self._order = epoch, torch.from_numpy(order)
        rows = self._order[place * self._batch : (place + 1) * self._batch]
        return self.images[rows], self.noise(optimised.STREAM_BATCHES, step, len(rows))

    def noise(self, stream: int, number: int, n: int) -> Tensor:
        """Draw z [n, noise], uniform in [−1, 1]."""
        drawn = self.draws(stream, number).uniform(-1, 1, (n, self._noise))
        return torch.from_numpy(drawn.astype(np.float32))

    def sample(self, n: int, seed: int) -> Tensor:
        """Draw samples G(z) [n, channels, side, side] in evaluation mode."""
        z = self.noise(optimised.STREAM_SAMPLES, seed, n)
        self.generator.eval()
        with torch.no_grad():
            made: Tensor = self.generator(z)
        self.generator.train()
        return made
