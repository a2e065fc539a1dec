"""Autoencoders of points on a cube."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dlcc.recipes.autoencoders import cube_autoencoders
from dlcc.recipes.autoencoders.cube_autoencoders import NOISY, Config
from dlcc.recipes.autoencoders.page import autoencoders_page
from dlcc.recipes.data.points import POINTS
from dlcc.recipes.recipe import Family, Recipe, Values

_REFERENCE = 2_048


class AutoencoderFamily(Family):
    """Trainings of `cube_autoencoders`."""

    module = cube_autoencoders

    def recipe(
        self, model: str, description: str, preset: Mapping[str, Any] | None = None
    ) -> Recipe:
        """Make the recipe of a model, with the options that it uses."""
        unused = {key: value for key, value in _NEUTRAL.items() if key not in _USES[model]}
        return Recipe(f"ae-{model}", description, self, {"model": model, **unused}, preset or {})

    def length(self, config: Values) -> int:
        return cube_autoencoders.length(Config.parse(config))

    def objective(self, config: Values) -> dict[str, Any]:
        samples = "reconstructions" if config["model"] in NOISY else "decoded draws of the prior"
        return {"kind": "autoencoder", "loss": _LOSSES[config["model"]], "samples": samples}

    def data(self, config: Values) -> str:
        return str(config["data"])

    def page(self, recipe: Recipe, config: Values) -> str:
        return autoencoders_page(recipe, config)

    def players(self, config: Values) -> Mapping[str, nn.Module]:
        return {"autoencoder": cube_autoencoders.Autoencoder(Config.parse(config))}

    def reference(self, config: Values) -> NDArray[np.float32]:
        return POINTS[config["data"]].draw(_REFERENCE, np.random.default_rng(0))

    def samples(self, config: Values) -> int:
        return 2_000

    def target(self, config: Values) -> str:
        return self.data(config)


_NEUTRAL = {
    "snr": 15.0,
    "beta": 0.0,
    "anneal_beta": 0.0,
    "mmd": 0.0,
    "anneal_mmd": 0.0,
    "prior": "standard",
}
_USES = {
    "f1": ("snr",),
    "f2": ("snr",),
    "f3": ("beta", "anneal_beta"),
    "f4": ("mmd", "anneal_mmd", "prior"),
    "f5": ("beta", "anneal_beta", "mmd", "anneal_mmd", "prior"),
    "beta": ("beta", "anneal_beta"),
    "sliced": (),
}
_LOSSES = {
    "f1": "reconstruction",
    "f2": "reconstruction and latent penalty",
    "f3": "elbo",
    "f4": "reconstruction and mmd",
    "f5": "elbo and mmd",
    "beta": "elbo",
    "sliced": "reconstruction and sliced_wasserstein",
}
