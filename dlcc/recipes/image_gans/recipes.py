"""Recipes of the families: two of one study, and the baseline of another."""

from __future__ import annotations

from dlcc.recipes.image_gans.family import CloudFamily, DCGANFamily, UsualFamily
from dlcc.recipes.recipe import Recipe

_CLOUDS = CloudFamily()
RECIPES = (
    Recipe(
        "image-gan",
        "GAN on images in a usual architecture, objective and optimiser, small enough for a core",
        UsualFamily(),
        {},
    ),
    Recipe(
        "lgc-vanilla",
        "GAN of two fully connected networks on images, from the study of clouds",
        _CLOUDS,
        {"net": "vanilla"},
    ),
    Recipe(
        "lgc-dcgan",
        "the study's deep convolutional GAN; .2 s a step on a core at a batch of 16",
        _CLOUDS,
        {"net": "dcgan"},
    ),
    Recipe(
        "akde-dcgan",
        "deep convolutional GAN, the baseline of the study of density estimation",
        DCGANFamily(),
        {},
    ),
)
