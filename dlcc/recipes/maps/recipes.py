"""Recipes of the family: the maps of the paper, and one under penalties."""

from __future__ import annotations

from dlcc.recipes.maps.family import MapFamily, RegularisedFamily
from dlcc.recipes.recipe import Recipe

_MAPS = MapFamily()
RECIPES = (
    Recipe("map-f1", "a Gaussian in the plane mapped to a uniform square", _MAPS, {"map": "f1"}),
    Recipe("map-f2", "a uniform square mapped to a Gaussian in the plane", _MAPS, {"map": "f2"}),
    Recipe("map-f3", "a uniform line mapped to a Gaussian in the plane", _MAPS, {"map": "f3"}),
    Recipe(
        "map-reg",
        "map-f1 mended, with an L1 or L2 penalty on its weights, or dropout",
        RegularisedFamily(),
        {"map": "f1", "variant": "mended"},
    ),
)
