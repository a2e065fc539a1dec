"""Batches of N members, each member's own, drawn for a chunk of steps at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dlcc.recipes.small_gan.training import CHUNK, STREAM_SAMPLES, Batch, Config, draw_chunk


class Batches:
    """Batches that the members read, a function of (their seeds, the step)."""

    def __init__(self, configs: Sequence[Config], dtype: torch.dtype) -> None:
        self._members: dict[int, list[int]] = {}  # of each seed: they read the same
        for i, config in enumerate(configs):
            self._members.setdefault(config.seed, []).append(i)
        self._configs = list(configs)
        first = configs[0]
        features = 64 if first.data == "digits" else 2
        rows = (CHUNK, len(configs), first.batch)
        self._drawn = Batch(
            *(torch.empty(*rows, width, dtype=dtype) for width in (features, first.zdim, 1))
        )
        self._chunk = -1

    def at(self, step: int) -> Batch:
        """Batch of a step: real [N, batch, features], noise [N, batch, zdim] and mixing weights."""
        chunk, row = divmod(step, CHUNK)
        if chunk != self._chunk:
            self._draw(chunk)
            self._chunk = chunk
        return Batch(*(drawn[row] for drawn in self._drawn))

    def _draw(self, chunk: int) -> None:
        """Draw the batches of a chunk, once for all members of a seed."""
        for members in self._members.values():
            drawn = draw_chunk(self._configs[members[0]], chunk)
            for i in members:
                for all_of_them, own in zip(self._drawn, drawn, strict=True):
                    all_of_them[:, i] = own


def sample_noise(configs: Sequence[Config], n: int, seed: int) -> Tensor:
    """Draw the noise z of the members' samples, [N, n, zdim]."""
    drawn = {}
    for own in {config.seed for config in configs}:
        rng = np.random.default_rng([own, STREAM_SAMPLES, seed])
        drawn[own] = rng.standard_normal((n, configs[0].zdim), dtype=np.float32)
    return torch.from_numpy(np.stack([drawn[config.seed] for config in configs]))
