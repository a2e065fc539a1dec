"""Small GANs, or convolutional ones on digits, that train together and can be controlled singly."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dlcc.control.adjustable import Adjustable, MemberSettings
from dlcc.ensembles import ConvEnsemble, Ensemble
from dlcc.ensembles.convolutional.ensemble import QUANTITIES as CONV_QUANTITIES
from dlcc.ensembles.ensemble import QUANTITIES
from dlcc.health.definitions import last_quarter, sample_steps
from dlcc.recipes import truth
from dlcc.recipes.data.images import smallest
from dlcc.recipes.small_gan.family import sample_dtype
from dlcc.typing import Floats

AtEnd = Callable[[int, Floats], None]
"""Function of the last step of a window and its values [quantities, members, steps]."""


@dataclass(frozen=True)
class End:
    """End of a training."""

    label: str
    """Label by the truth."""
    good: float
    """Share of good sample steps in the last quarter."""


@dataclass(frozen=True)
class Ensembled:
    """Trainings of one shape and length, each with settings that can be changed on the way."""

    configs: Sequence[Mapping[str, Any]]
    """Configuration of each, as it was set, [n]."""
    data: str
    """Name of the data that the truth knows."""
    quantities: Sequence[str]
    """Names of what a step records."""
    members: Sequence[Adjustable]
    """Settings of each that may change, [n]."""
    step_values: Callable[[int], Tensor]
    """Function that trains all for a step: values [quantities, n]."""
    samples: Callable[[int], NDArray[Any]]
    """Function that draws samples of all at a step, [n, m, features]."""

    @property
    def length(self) -> int:
        """Length in steps."""
        return int(self.configs[0]["steps"])

    @classmethod
    def small(cls, configs: Sequence[Mapping[str, Any]]) -> Ensembled:
        """Put small GANs of one shape together."""
        ensemble, data = Ensemble(configs), str(configs[0]["data"])

        def samples(step: int) -> NDArray[Any]:
            """Samples of all members."""
            drawn = ensemble.sample(truth.SAMPLES[data], seed=step)
            return np.asarray(drawn.to(sample_dtype(data)).numpy())

        members = [MemberSettings(ensemble, i) for i in range(len(configs))]
        return cls(configs, data, QUANTITIES, members, ensemble.step_values, samples)

    @classmethod
    def on_digits(cls, configs: Sequence[Mapping[str, Any]]) -> Ensembled:
        """Put convolutional GANs on digits of one shape together."""
        ensemble = ConvEnsemble(configs)

        def samples(step: int) -> NDArray[Any]:
            """Samples of all members, each as the 8×8 digits that scale up to it best."""
            drawn = [ensemble.member(i).sample(truth.SAMPLES["digits"], seed=step) for i in places]
            return np.array([smallest(images.numpy()[:, 0]) for images in drawn])

        places = range(len(configs))
        members = [MemberSettings(ensemble, i) for i in places]
        return cls(configs, "digits", CONV_QUANTITIES, members, ensemble.step_values, samples)

    def train(self, every: int, at_end: AtEnd) -> list[End]:
        """Train all to their length, and judge how each ended.

        No label depends on samples of the first half, so that none are drawn there.

        Args:
            every: Steps of a window.
            at_end: Called at each window's end.

        Returns:
            How each ended, [n].
        """
        length, n = self.length, len(self.configs)
        sampled = [s for s in sample_steps(length, truth.SAMPLE_STEPS) if 2 * s > length]
        values = torch.empty(length, len(self.quantities), n)
        judged: list[list[truth.SampledStep]] = [[] for _ in range(n)]
        for step in range(length + 1):
            if step in sampled:
                for found, drawn in zip(judged, self.samples(step), strict=True):
                    found.append(truth.judge_samples(self.data, step, drawn))
            if step == length:
                break
            values[step] = self.step_values(step)
            if (step + 1) % every == 0:
                window = values[step + 1 - every : step + 1]
                at_end(step, window.double().permute(1, 2, 0).numpy())
        series = values.double().permute(2, 1, 0).numpy()
        return [self._end(series[i], judged[i]) for i in range(n)]

    def _end(self, series: Floats, seen: Sequence[truth.SampledStep]) -> End:
        """Judge how one ended; its first sample stands for those of the first half."""
        whole = [seen[0]] * (truth.SAMPLE_STEPS - len(seen)) + list(seen)
        rows = {
            name: column
            for name, column in zip(self.quantities, series, strict=True)
            if name.endswith(("/loss", "/grad_norm"))
        }
        found = truth.judge(self.data, self.length, whole, rows)
        return End(found.label, float(last_quarter(np.array(found.good)).mean()))
