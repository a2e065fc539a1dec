"""Family of GANs of table rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dlcc.recipes.recipe import Family, Recipe, Values
from dlcc.recipes.tables import table_gan
from dlcc.recipes.tables.data import DATA, load_table
from dlcc.recipes.tables.page import table_gan_page


class TableFamily(Family):
    """Trainings of `table_gan`."""

    module = table_gan

    def length(self, config: Values) -> int:
        return int(config["steps"])

    def objective(self, config: Values) -> dict[str, Any]:
        return {"kind": "gan", "loss": config["loss"]}

    def data(self, config: Values) -> str:
        return str(config["data"])

    def description(self, config: Values) -> dict[str, Any]:
        last = load_table(config["data"]).rows.shape[1] - 1
        return {"name": config["data"], "modality": "table", "categorical": [last]}

    def page(self, recipe: Recipe, config: Values) -> str:
        return table_gan_page(recipe, config)

    def reference(self, config: Values) -> NDArray[np.float32]:
        return load_table(config["data"]).rows.astype(np.float32)

    def players(self, config: Values) -> Mapping[str, nn.Module]:
        return table_gan.make_players(table_gan.Config.parse(config))

    def variants(self) -> tuple[str, ...]:
        return DATA

    def samples(self, config: Values) -> int:
        return 256

    def target(self, config: Values) -> str | None:
        return str(config["data"])
