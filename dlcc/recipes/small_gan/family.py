"""Family of small GANs on mixtures in the plane, and on 8×8 digits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlcc.recipes import truth
from dlcc.recipes.recipe import Family, Recipe, Values
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.small_gan.look import SmallGANLook
from dlcc.recipes.small_gan.page import method_page
from dlcc.runs import Recorder


class SmallGANFamily(Family):
    """Trainings of `small_gan`."""

    module = small_gan
    changeable = ("lr_g", "lr_d", "beta1", "beta2", "r1", "loss", "g_every", "d_every")

    def length(self, config: Values) -> int:
        steps: int = config["steps"]
        return steps

    def objective(self, config: Values) -> dict[str, Any]:
        return {"kind": "gan", "loss": config["loss"]}

    def data(self, config: Values) -> str:
        return str(config["data"])

    def page(self, recipe: Recipe, config: Values) -> str:
        return method_page(recipe, config)

    def reference(self, config: Values) -> NDArray[np.float32]:
        return small_gan.reference(config["data"])

    def players(self, config: Values) -> Mapping[str, nn.Module]:
        return small_gan.make_players(small_gan.Config.parse(config))

    def samples(self, config: Values) -> int:
        return truth.SAMPLES[config["data"]]

    def sample_dtype(self, config: Values) -> torch.dtype:
        return sample_dtype(config["data"])

    def target(self, config: Values) -> str:
        return self.data(config)

    def look(self, recorder: Recorder, training: Any) -> SmallGANLook:
        return SmallGANLook(recorder, training)


def sample_dtype(data: str) -> torch.dtype:
    """Type in which samples are kept: half precision for digits, whose pixels are eighths."""
    return torch.float16 if data == "digits" else torch.float32
