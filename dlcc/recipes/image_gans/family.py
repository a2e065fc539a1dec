"""Families of GANs on images: the study of loss-gradient clouds, and a deep convolutional one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dlcc.landscape.batches import PerSampleLoss
from dlcc.landscape.model_state import unchanged
from dlcc.recipes.adversarial_losses import ADVERSARIAL_LOSSES
from dlcc.recipes.data.images import (
    KNOWN,
    SHAPES,
    as_shares,
    count_images,
    load_images,
    smallest,
)
from dlcc.recipes.image_gan import ImageGAN
from dlcc.recipes.image_gans import akde_dcgan, loss_gradient_clouds, usual_gan
from dlcc.recipes.image_gans.page import clouds_page, dcgan_page, usual_page
from dlcc.recipes.recipe import Family, Recipe, Values
from dlcc.runs import Recorder
from dlcc.runs.measuring import MEASURES


class CloudFamily(Family):
    """Trainings of `loss_gradient_clouds`."""

    module = loss_gradient_clouds

    def length(self, config: Values) -> int:
        if config["steps"]:
            return int(config["steps"])
        of_epoch = math.ceil(count_images(config["data"], config["folder"]) / config["batch"])
        return int(config["epochs"] * of_epoch)

    def objective(self, config: Values) -> dict[str, Any]:
        return {"kind": "gan", "loss": config["loss"]}

    def data(self, config: Values) -> str:
        return str(config["data"])

    def page(self, recipe: Recipe, config: Values) -> str:
        return clouds_page(recipe, config)

    def reference(self, config: Values) -> NDArray[np.float32]:
        return load_images(config["data"], config["folder"])

    def players(self, config: Values) -> Mapping[str, nn.Module]:
        return loss_gradient_clouds.make_players(config["net"], *SHAPES[config["data"]])

    def variants(self) -> tuple[str, ...]:
        return tuple(SHAPES)

    def samples(self, config: Values) -> int:
        return 256

    def sample_dtype(self, config: Values) -> torch.dtype:
        return torch.float16

    def target(self, config: Values) -> str | None:
        """Name of the data where a classifier knows them: MNIST's 5,000 stand for all of it."""
        return KNOWN.get(config["data"])

    def as_target(self, samples: NDArray[Any], config: Values) -> NDArray[Any]:
        """Flatten images [n, 784]; digits to the 8×8 that scale up to them best, [n, 64]."""
        images = np.asarray(samples, dtype=np.float32)[:, 0]
        return smallest(images) if config["data"] == "digits" else images.reshape(len(images), -1)

    def look(self, recorder: Recorder, training: Any) -> CloudLook | None:
        return CloudLook(recorder, training, training.config.loss)


class DCGANFamily(CloudFamily):
    """Trainings of `akde_dcgan`."""

    module = akde_dcgan

    def length(self, config: Values) -> int:
        images = count_images(config["data"], config["folder"])
        return akde_dcgan.length(config, round(akde_dcgan.TRAINED_SHARE * images))

    def page(self, recipe: Recipe, config: Values) -> str:
        return dcgan_page(recipe, config)

    def reference(self, config: Values) -> NDArray[np.float32]:
        return as_shares(super().reference(config))

    def players(self, config: Values) -> Mapping[str, nn.Module]:
        shape = SHAPES[config["data"]]
        return akde_dcgan.make_players(*shape, config["width"], config["norm"])

    def as_target(self, samples: NDArray[Any], config: Values) -> NDArray[Any]:
        return super().as_target(2 * np.asarray(samples, dtype=np.float32) - 1, config)


class UsualFamily(CloudFamily):
    """Trainings of `usual_gan`."""

    module = usual_gan

    def length(self, config: Values) -> int:
        return int(config["steps"])

    def page(self, recipe: Recipe, config: Values) -> str:
        return usual_page(recipe, config)

    def players(self, config: Values) -> Mapping[str, nn.Module]:
        parsed = usual_gan.Config.parse(config)
        return usual_gan.make_players(parsed, *SHAPES[config["data"]])

    def look(self, recorder: Recorder, training: Any) -> CloudLook | None:
        """Measure nothing: losses here depend on both batches, or have penalties."""
        return None


class CloudLook:
    """Observer that measures rows now and then, the landscape at snapshots, without penalties."""

    def __init__(self, recorder: Recorder, training: ImageGAN, loss: str) -> None:
        self.training, self.loss = training, loss
        self.measure = recorder.measure(_losses(training, loss), what=MEASURES)

    def at_row(self, step: int) -> None:
        """Measure on the next batch after the row of a step was logged, where it is due."""
        if self.measure.is_due(step):
            real, z = self.training.batch(step + 1)  # that no step has been taken on
            with unchanged(self.training.generator), torch.no_grad():
                fake = self.training.generator(z)
            self.measure(step, {"discriminator": (real, fake), "generator": z})

    def at_snapshot(self, step: int) -> None:
        """Measure the landscape after the snapshot of a step was taken."""
        real, z = self.training.batch(step)
        training, batches = self.training, {"discriminator": (real, z), "generator": z}

        def of_discriminator(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
            """Loss of each row of images and z."""
            return losses["discriminator"](model, (batch[0], training.generator(batch[1])))

        losses = _losses(training, self.loss)
        self.measure.landscape(step, batches, {**losses, "discriminator": of_discriminator})


def _losses(training: ImageGAN, loss: str) -> dict[str, PerSampleLoss]:
    """Losses of each row: the discriminator's of images and samples, the generator's of z."""
    of_rows = ADVERSARIAL_LOSSES["ns" if loss == "ns" else "wgangp"]

    def of_discriminator(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Loss of each row of images and samples, [n]."""
        real, fake = batch
        return of_rows.discriminator(model(real).squeeze(1), model(fake).squeeze(1))

    def of_generator(model: nn.Module, z: Tensor) -> Tensor:
        """Loss of each row of z, [n]."""
        return of_rows.generator(training.discriminator(model(z)).squeeze(1))

    return {"discriminator": of_discriminator, "generator": of_generator}
