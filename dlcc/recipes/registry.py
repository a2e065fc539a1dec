"""The trainings that one can run by name."""

from __future__ import annotations

from dlcc.errors import OptionError
from dlcc.recipes.autoencoders_family import AutoencoderFamily
from dlcc.recipes.clouds_family import CloudFamily, DCGANFamily
from dlcc.recipes.maps_family import MapFamily, RegularisedFamily
from dlcc.recipes.recipe import Recipe
from dlcc.recipes.small_gan_family import SmallGANFamily

_SMALL_GAN, _CLOUDS, _MAPS = SmallGANFamily(), CloudFamily(), MapFamily()
_AUTOENCODERS = AutoencoderFamily()
_RECIPES = (
    Recipe(
        "ring", "GAN of two small networks on eight Gaussians on a circle in the plane",
        _SMALL_GAN, {"data": "ring"},
    ),
    Recipe("grid9", "the GAN of ring on a 3×3 grid of Gaussians", _SMALL_GAN, {"data": "grid9"}),
    Recipe(
        "grid25", "the GAN of ring on a 5×5 grid of Gaussians, wider and with a gradient penalty",
        _SMALL_GAN, {"data": "grid25"},
        {"width": 128, "batch": 256, "steps": 6000, "r1": 0.02},  # with ring's 4 in 10 are good
    ),
    Recipe(
        "digits", "the GAN of ring on scikit-learn's 1,797 digits of 8×8 pixels",
        _SMALL_GAN, {"data": "digits"},
    ),
    Recipe(
        "lgc-vanilla", "GAN of two fully connected networks on images, from the study of clouds",
        _CLOUDS, {"net": "vanilla"},
    ),
    Recipe(
        "lgc-dcgan", "the study's deep convolutional GAN; .2 s a step on a core at a batch of 16",
        _CLOUDS, {"net": "dcgan"},
    ),
    Recipe(
        "akde-dcgan", "deep convolutional GAN, the baseline of the study of density estimation",
        DCGANFamily(), {},
    ),
    Recipe("map-f1", "a Gaussian in the plane mapped to a uniform square", _MAPS, {"map": "f1"}),
    Recipe("map-f2", "a uniform square mapped to a Gaussian in the plane", _MAPS, {"map": "f2"}),
    Recipe("map-f3", "a uniform line mapped to a Gaussian in the plane", _MAPS, {"map": "f3"}),
    Recipe(
        "map-reg", "map-f1 mended, with an L1 or L2 penalty on its weights, or dropout",
        RegularisedFamily(), {"map": "f1", "variant": "mended"},
    ),
    _AUTOENCODERS.recipe("f1", "autoencoder of a cube's surface with noise in its latents"),
    _AUTOENCODERS.recipe("f2", "ae-f1 with latents pulled to mean 0 and variance 1"),
    _AUTOENCODERS.recipe("f3", "variational autoencoder of a cube's surface"),
    _AUTOENCODERS.recipe("f4", "ae-f3 with MMD of latents and prior in the divergence's place"),
    _AUTOENCODERS.recipe("f5", "ae-f3 with the divergence and MMD"),
    _AUTOENCODERS.recipe(
        "beta", "variational autoencoder whose divergence is light and sets in slowly",
        {"beta": 0.01, "anneal_beta": 0.5},
    ),
    _AUTOENCODERS.recipe(
        "sliced", "autoencoder that samples well, by sliced Wasserstein distances", {"latents": 3},
    ),
)  # fmt: skip


def recipes() -> dict[str, Recipe]:
    """All recipes by name."""
    return {recipe.name: recipe for recipe in _RECIPES}


def get_recipe(name: str) -> Recipe:
    """The recipe of this name; OptionError, which lists the names, where there is none."""
    known = recipes()
    if name not in known:
        raise OptionError(f"there is no recipe {name!r}: choose one of {', '.join(known)}")
    return known[name]
