"""Family of variational autoencoders of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlcc.recipes.autoencoders import image_vae
from dlcc.recipes.autoencoders.image_page import image_vae_page
from dlcc.recipes.data.images import KNOWN, SHAPES, as_shares, load_images, smallest
from dlcc.recipes.recipe import Family, Recipe, Values


class ImageVAEFamily(Family):
    """Trainings of `image_vae`."""

    module = image_vae

    def length(self, config: Values) -> int:
        return int(config["steps"])

    def objective(self, config: Values) -> dict[str, Any]:
        return {"kind": "vae", "loss": "elbo"}

    def data(self, config: Values) -> str:
        return str(config["data"])

    def page(self, recipe: Recipe, config: Values) -> str:
        return image_vae_page(recipe, config)

    def reference(self, config: Values) -> NDArray[np.float32]:
        return as_shares(load_images(config["data"], config["folder"]))

    def players(self, config: Values) -> Mapping[str, nn.Module]:
        return {"model": image_vae.VAE(image_vae.Config.parse(config), *SHAPES[config["data"]])}

    def variants(self) -> tuple[str, ...]:
        return tuple(SHAPES)

    def samples(self, config: Values) -> int:
        return 256

    def sample_dtype(self, config: Values) -> torch.dtype:
        return torch.float16

    def target(self, config: Values) -> str | None:
        return KNOWN.get(config["data"])

    def as_target(self, samples: NDArray[Any], config: Values) -> NDArray[Any]:
        """Flatten images in [−1, 1], [n, 784]; digits to 8×8, [n, 64]."""
        images = 2 * np.asarray(samples, dtype=np.float32)[:, 0] - 1
        return smallest(images) if config["data"] == "digits" else images.reshape(len(images), -1)
