"""What GANs on images have in common: their batches, noise and samples."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dlcc.recipes import optimised


class ImageGAN(optimised.OptimisedTraining):
    """A generator and a discriminator of images, which come in an order of its own each epoch."""

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
        """Of `images` [n, channels, side, side], with `noise` numbers for each that is made."""
        super().__init__(seed, players, optimizers)
        self.generator, self.discriminator = players["generator"], players["discriminator"]
        self.images = torch.from_numpy(images)
        self._batch, self._noise = batch, noise
        self._epoch, self._order = -1, torch.zeros(0)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Images at this step's place in the order of its epoch, and z [n, noise]."""
        of_epoch = math.ceil(len(self.images) / self._batch)
        epoch, place = divmod(step, of_epoch)
        if epoch != self._epoch:
            order = self.draws(optimised.STREAM_ORDER, epoch).permutation(len(self.images))
            self._epoch, self._order = epoch, torch.from_numpy(order)
        rows = self._order[place * self._batch : (place + 1) * self._batch]
        return self.images[rows], self.noise(optimised.STREAM_BATCHES, step, len(rows))

    def noise(self, stream: int, number: int, n: int) -> Tensor:
        """z [n, noise], uniform in [−1, 1]."""
        drawn = self.draws(stream, number).uniform(-1, 1, (n, self._noise))
        return torch.from_numpy(drawn.astype(np.float32))

    def sample(self, n: int, seed: int) -> Tensor:
        """G(z), [n, channels, side, side], in evaluation mode."""
        z = self.noise(optimised.STREAM_SAMPLES, seed, n)
        self.generator.eval()
        with torch.no_grad():
            made: Tensor = self.generator(z)
        self.generator.train()
        return made
