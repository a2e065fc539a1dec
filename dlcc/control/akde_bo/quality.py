"""Quality of what a model makes, from training data alone, in decades."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcc.metrics import squared_mmd
from dlcc.metrics.kernels import median_bandwidth

KEPT = 384
"""Training rows that samples are compared with, the first that the loop showed."""
SAMPLES = 256
"""Samples of a window's end."""
WORST = -4.0
"""Quality of samples that are not finite."""
_WIDTHS = (0.25, 1.0)  # of the median squared distance: narrow enough to miss a mode by


class SampleQuality:
    """Quality −log₁₀(MMD² / floor) of samples against training rows.

    The kernels are as wide as the data and a quarter of that, so that a missing mode shows; floor
    is by how much two draws of the data differ. 0 is as good as the data, −1 ten times as far.

    >>> rng = torch.Generator().manual_seed(0)
    >>> quality = SampleQuality()
    >>> for _ in range(4):
    ...     quality.see(real=torch.randn(100, 2, generator=rng))
    >>> good, shifted = torch.randn(256, 2, generator=rng), torch.ones(256, 2)
    >>> quality.of(good) > -0.6, quality.of(shifted) < -1.5
    (True, True)
    """

    def __init__(self) -> None:
        self.real: Tensor | None = None
        self.fake: Tensor | None = None
        self.last_fake: Tensor | None = None
        """Last batch of samples that the loop showed, in its own shape."""

    def see(self, real: Tensor | None = None, fake: Tensor | None = None) -> None:
        """Keep rows of a batch: the first training rows, and the last samples.

        Args:
            real: Training rows [n, ...].
            fake: Samples [n, ...].
        """
        if real is not None and (self.real is None or len(self.real) < KEPT):
            rows = real.detach().flatten(1).cpu()
            self.real = (rows if self.real is None else torch.cat([self.real, rows]))[:KEPT].clone()
        if fake is not None:
            self.last_fake = fake.detach()
            rows = self.last_fake.flatten(1).cpu()
            self.fake = (rows if self.fake is None else torch.cat([self.fake, rows]))[-SAMPLES:]

    def of(self, samples: Tensor | None = None) -> float:
        """Measure samples.

        Args:
            samples: Samples [n, ...]; None for those that the loop showed last.

        Returns:
            The quality in decades; NaN where nothing was shown yet or training rows are all alike,
            `WORST` where a sample is not finite.
        """
        fake = self.fake if samples is None else samples.detach().flatten(1).cpu()
        if self.real is None or fake is None or len(fake) < 4 or len(self.real) < 4:
            return math.nan
        rows, data = fake.double().numpy(), self.real.double().numpy()
        if not np.isfinite(rows).all() or np.abs(rows).max() > 1e15:
            return WORST
        try:
            width = median_bandwidth(data)
            found = squared_mmd(rows, data, gamma=[1 / (share * width) for share in _WIDTHS])
        except ValueError:  # rows that are all alike, or of another width: nothing to measure by
            return math.nan
        floor = max(found.floor, 1e-12)
        return max(WORST, -math.log10(max(found.value, floor) / floor))

    def state_dict(self) -> dict[str, Any]:
        """Copy the rows that were kept."""
        return {"real": self.real, "fake": self.fake, "last_fake": self.last_fake}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`."""
        self.real, self.fake = state["real"], state["fake"]
        self.last_fake = state["last_fake"]
