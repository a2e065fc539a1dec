"""Loop that the bench's trainings share: a recipe says what a step is, and a fault is a subclass.

Several seeds are trained at once for speed: every tensor has a leading dimension of members, losses
are summed over members, and nothing else mixes them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from faults.recording import Recording, share_out

CHECKPOINTS = 25
"""Number of steps, spread over a training, before which its samples are held against the data."""


@dataclass(frozen=True, kw_only=True)
class AnySetting:
    """What every recipe sets."""

    recipe: str
    data: str
    objective: str
    length: int


SettingT = TypeVar("SettingT", bound=AnySetting)


class Training(Generic[SettingT]):
    """Training of several members, without a fault."""

    name = "none"
    midway = False
    """Whether the fault begins at a step within the training."""

    def __init__(self, setting: SettingT, seed: int, members: int = 1) -> None:
        torch.manual_seed(seed)
        self.members = members
        self.setting = self.settings(setting)
        self.rng = np.random.default_rng(seed)
        self.at = int(self.rng.uniform(0.4, 0.7) * setting.length) if self.midway else 0
        self.step = 0

    def settings(self, setting: SettingT) -> SettingT:
        """Setting as it is used."""
        return setting

    @property
    def begun(self) -> bool:
        """Whether the fault acts at this step."""
        return self.step >= self.at

    def train(self) -> list[Recording]:
        """Train to the end, and give the recording of each member."""
        s = self.setting
        recordings = [
            Recording(
                s.recipe, s.objective, s.data, s.length,
                onset=self.at if self.midway else None, settings=asdict(s),
            )
            for _ in range(self.members)
        ]  # fmt: skip
        began = time.process_time()
        for self.step in range(s.length):
            share_out(recordings, self.train_step())
            if self.due(CHECKPOINTS) or not self.step:
                for recording, value in zip(recordings, self.truth(), strict=True):
                    recording.truth_steps.append(self.step)
                    recording.truth.append(value)
        for recording in recordings:
            recording.seconds = (time.process_time() - began) / self.members
        return recordings

    def due(self, times: int) -> bool:
        """Whether something is due that is done so many times, evenly over the training."""
        return (self.step + 1) % max(1, self.setting.length // times) == 0

    def train_step(self) -> Mapping[str, Tensor | float]:
        """One step, and what is logged of it: values [members], or one for all of them."""
        raise NotImplementedError

    def end_of_step(self) -> None:
        """End of a step, where schedules act."""

    def truth(self) -> list[float]:
        """Distance of each member's samples from the data."""
        raise NotImplementedError
