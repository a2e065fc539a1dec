"""Recipes of the family, one for each data set."""

from __future__ import annotations

from dlcc.recipes.recipe import Recipe
from dlcc.recipes.small_gan.family import SmallGANFamily

_FAMILY = SmallGANFamily()
RECIPES = (
    Recipe(
        "ring",
        "GAN of two small networks on eight Gaussians on a circle in the plane",
        _FAMILY,
        {"data": "ring"},
    ),
    Recipe("grid9", "the GAN of ring on a 3×3 grid of Gaussians", _FAMILY, {"data": "grid9"}),
    Recipe(
        "grid25",
        "the GAN of ring on a 5×5 grid of Gaussians, wider and with a gradient penalty",
        _FAMILY,
        {"data": "grid25"},
        {"width": 128, "batch": 256, "steps": 6000, "r1": 0.02},  # with ring's 4 in 10 are good
    ),
    Recipe(
        "digits",
        "the GAN of ring on scikit-learn's 1,797 digits of 8×8 pixels",
        _FAMILY,
        {"data": "digits"},
    ),
)
