"""Batches and dropout of N members, each drawn as its solo training draws them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlcc.ensembles.convolutional.networks import Members, as_cells, beside
from dlcc.recipes import optimised
from dlcc.recipes.image_gans.usual_gan import STREAM_PENALTY, Config

Draw = Callable[[np.random.Generator], NDArray[np.floating]]


class Batches:
    """Batches that the members read: functions of (their seeds, the number of the batch)."""

    def __init__(
        self, configs: Sequence[Config], images: NDArray[np.float32], dtype: torch.dtype
    ) -> None:
        self._configs = configs
        self._images = torch.from_numpy(images)
        self._dtype = dtype
        self._epoch = -1
        self._orders = np.empty((0, 0), dtype=np.int64)

    def at(self, number: int) -> tuple[Tensor, Tensor]:
        """Images of a batch as cells [n, N·4C, h, h], and noise [N, n, zdim].

        n is less than `batch` where an epoch ends.
        """
        batch = self._configs[0].batch
        epoch, place = divmod(number, math.ceil(len(self._images) / batch))
        if epoch != self._epoch:
            count = len(self._images)
            self._orders = np.stack(
                [
                    self._rng(c, optimised.STREAM_ORDER, epoch).permutation(count)
                    for c in self._configs
                ]
            )
            self._epoch = epoch
        rows = torch.from_numpy(self._orders[:, place * batch : (place + 1) * batch])
        cells = as_cells(self._images[rows.flatten()].to(self._dtype))
        images = beside(cells.view(*rows.shape, *cells.shape[1:]))
        size = (rows.shape[1], self._configs[0].zdim)
        noise = self._drawn(
            self._configs, optimised.STREAM_BATCHES, number, lambda rng: rng.uniform(-1, 1, size)
        )
        return images, noise.to(self._dtype)

    def mixing(self, members: Tensor, number: int, n: int) -> Tensor:
        """Shares [n, members, 1, 1] of real images in mixtures that some penalties see."""
        configs = [self._configs[i] for i in members.tolist()]
        shares = self._drawn(configs, STREAM_PENALTY, number, lambda rng: rng.random((n, 1, 1)))
        return shares.transpose(0, 1)

    def _drawn(self, configs: Sequence[Config], stream: int, number: int, draw: Draw) -> Tensor:
        """Draw numbers for each of some members, once for all of a seed: [members, ...]."""
        of_seed = {c.seed: draw(self._rng(c, stream, number)) for c in configs}
        return torch.from_numpy(np.stack([of_seed[c.seed] for c in configs]).astype(np.float32))

    def _rng(self, config: Config, stream: int, number: int) -> np.random.Generator:
        return np.random.default_rng([config.seed, stream, number])


class Dropout:
    """Units that dropout leaves out of the discriminators of the members that have it."""

    def __init__(self, configs: Sequence[Config], side: int, dtype: torch.dtype) -> None:
        self._configs = configs
        width = configs[0].width
        self._shapes = ((width, side // 2, side // 2), (2 * width, side // 4, side // 4))
        self._dtype = dtype
        self._generators = {i: torch.Generator() for i, c in enumerate(configs) if c.dropout}

    def begin(self, step: int) -> None:
        """Begin the draws of a step: torch's generator is seeded by it in solo trainings."""
        for i, generator in self._generators.items():
            entropy = np.random.SeedSequence((self._configs[i].seed, optimised.STREAM_LAYERS, step))
            generator.manual_seed(int(entropy.generate_state(1, np.uint64)[0]))

    def draw(self, n: int, calls: Sequence[Members] = (None,)) -> tuple[Tensor, Tensor] | None:
        """Draw the units' factors in the next calls, of n images each.

        Args:
            n: Number of images.
            calls: Members of each call, V in all; None for all.

        Returns:
            Factors of the units of both convolutions, [n, V·C, side, side]; None where no member
            has dropout.
        """
        if not self._generators:
            return None
        everyone = list(range(len(self._configs)))
        called = [i for some in calls for i in (everyone if some is None else some.tolist())]
        first, second = (
            torch.ones(len(called), n, *shape, dtype=self._dtype) for shape in self._shapes
        )
        for place, i in enumerate(called):
            if i in self._generators:
                stays = 1 - self._configs[i].dropout
                for factors in (first[place], second[place]):
                    factors.bernoulli_(stays, generator=self._generators[i]).div_(stays)
        return beside(first), beside(second)
