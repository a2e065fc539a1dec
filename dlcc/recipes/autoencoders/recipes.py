"""Recipes of the family: one for each model of the paper, and two that mend them."""

from __future__ import annotations

from dlcc.recipes.autoencoders.family import AutoencoderFamily
from dlcc.recipes.autoencoders.image_family import ImageVAEFamily
from dlcc.recipes.recipe import Recipe

_FAMILY = AutoencoderFamily()
RECIPES = (
    Recipe(
        "image-vae",
        "variational autoencoder of images, of dense or convolutional layers",
        ImageVAEFamily(),
        {},
    ),
    _FAMILY.recipe("f1", "autoencoder of a cube's surface with noise in its latents"),
    _FAMILY.recipe("f2", "ae-f1 with latents pulled to mean 0 and variance 1"),
    _FAMILY.recipe("f3", "variational autoencoder of a cube's surface"),
    _FAMILY.recipe("f4", "ae-f3 with MMD of latents and prior in the divergence's place"),
    _FAMILY.recipe("f5", "ae-f3 with the divergence and MMD"),
    _FAMILY.recipe(
        "beta",
        "variational autoencoder whose divergence is light and sets in slowly",
        {"beta": 0.01, "anneal_beta": 0.5},
    ),
    _FAMILY.recipe(
        "sliced",
        "autoencoder that samples well, by sliced Wasserstein distances",
        {"latents": 3},
    ),
)
