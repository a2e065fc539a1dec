"""What the trainings of the family share."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dlcc.recipes.recipe import Family, Recipe, Values
from drift.line import training
from drift.line.training import CENTRE, SPREAD, Drift


class LineFamily(Family):
    """Trainings of `drift.line.training`."""

    module = training

    def length(self, config: Values) -> int:
        return int(config["steps"])

    def objective(self, config: Values) -> dict[str, Any]:
        return {"kind": "drift", "loss": "moments"}

    def data(self, config: Values) -> str:
        return "line"

    def page(self, recipe: Recipe, config: Values) -> str:
        return f"# {recipe.name}\n\nThe learning rate is {config['lr']:g}.\n"

    def reference(self, config: Values) -> NDArray[np.float32]:
        drawn = np.random.default_rng(0).normal(size=(1024, 2))
        return np.float32(drawn * SPREAD + CENTRE)

    def players(self, config: Values) -> Mapping[str, nn.Module]:
        return {"model": Drift()}
