"""Families of maps between distributions in the plane."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dlcc.recipes.maps import mmd_maps, regularised_map
from dlcc.recipes.maps.page import maps_page, regularised_page
from dlcc.recipes.recipe import Family, Recipe, Values

_REFERENCE = 2_048


class MapFamily(Family):
    """Trainings of `mmd_maps`."""

    module = mmd_maps

    def length(self, config: Values) -> int:
        return mmd_maps.length(self._parsed(config))

    def objective(self, config: Values) -> dict[str, Any]:
        stated: dict[str, Any] = {"kind": "map", "loss": mmd_maps.LOSS[config["variant"]]}
        if config["variant"] == "paper":
            stated["kernel_width"] = mmd_maps.MAPS[config["map"]].width
        return stated

    def data(self, config: Values) -> str:
        return mmd_maps.MAPS[config["map"]].target

    def page(self, recipe: Recipe, config: Values) -> str:
        return maps_page(recipe, config)

    def players(self, config: Values) -> Mapping[str, nn.Module]:
        return mmd_maps.make_players(self._parsed(config))

    def _parsed(self, config: Values) -> mmd_maps.Config:
        """Check the configuration and make it an object."""
        return mmd_maps.Config.parse(config)

    def reference(self, config: Values) -> NDArray[np.float32]:
        rng = np.random.default_rng(0)
        return mmd_maps.target(config["map"], _REFERENCE, rng).numpy()

    def samples(self, config: Values) -> int:
        return 2_000

    def target(self, config: Values) -> str:
        return self.data(config)

    def as_target(self, samples: NDArray[Any], config: Values) -> NDArray[Any]:
        """Convert samples to the target's square, [−1, 1]²; that of the maps is [0, 1]²."""
        return 2 * samples - 1 if self.data(config) == "square" else samples


class RegularisedFamily(MapFamily):
    """Trainings of `regularised_map`."""

    module = regularised_map

    def page(self, recipe: Recipe, config: Values) -> str:
        return regularised_page(recipe, config)

    def players(self, config: Values) -> Mapping[str, nn.Module]:
        return regularised_map.make_players(self._parsed(config))

    def _parsed(self, config: Values) -> regularised_map.Config:
        return regularised_map.Config.parse(config)
