"""Training of a recipe whose settings a controller may change, and what a replay builds it from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcc.control.adjustable import Adjustable, ImageGANSettings, SmallGANSettings
from dlcc.errors import OptionError
from dlcc.recipes.image_gans import akde_dcgan
from dlcc.recipes.image_gans.akde_dcgan import DCGAN
from dlcc.recipes.image_gans.usual_gan import UsualGAN
from dlcc.recipes.small_gan import controlled
from dlcc.recipes.small_gan.training import SmallGAN

_OF_SMALL_GANS = "from dlcc.recipes.small_gan.training import"
_OF_IMAGE_GANS = '''\
"""GAN of train.py with settings that may change while it trains; its state brings them along."""

from collections.abc import Mapping
from typing import Any

from dlcc.control.adjustable import ImageGANSettings
from dlcc.control.steered_recipe import KeptSettings
from train import build as build_training


def build(config: Mapping[str, Any]) -> Any:
    """Build the training of a configuration, before its first step."""
    training = build_training(config)
    training.control = KeptSettings(ImageGANSettings(training))
    return training
'''


@dataclass(frozen=True)
class SteeredRecipe:
    """Training of a recipe with settings that may change."""

    training: Any
    """Training to record; its state holds the settings."""
    adjustable: Adjustable
    """Settings that may change."""
    length: int
    """Length in steps."""
    data: str | None
    """Data set whose past runs are asked first; None where all are asked."""
    source: Callable[[], str]
    """Reader of the source that a replay builds the training from, beside `train.py`."""


def steered_recipe(training: Any, config: Mapping[str, Any], *, dry_run: bool) -> SteeredRecipe:
    """Let settings of a recipe's training change, and make them a part of its state.

    Args:
        training: Training before its first step; in a dry run it stays as it is.
        config: Its whole configuration.
        dry_run: Whether nothing is to change.

    Raises:
        OptionError: It is a training of another kind.
    """
    if isinstance(training, SmallGAN):
        taken = training if dry_run else controlled.ControlledGAN(training.config)
        of, adjustable = training.config, SmallGANSettings(taken)
        return SteeredRecipe(taken, adjustable, of.steps, of.data, _source_of_small_gans)
    if isinstance(training, UsualGAN | DCGAN):
        settings = ImageGANSettings(training)
        if not dry_run:
            training.control = KeptSettings(settings)
        length = int(config["steps"]) or akde_dcgan.length(config, len(training.images))
        return SteeredRecipe(training, settings, length, None, lambda: _OF_IMAGE_GANS)
    raise OptionError(
        "control: steers ring, grid9, grid25, digits, image-gan and akde-dcgan; train this one "
        "without --control, or, where it is a VAE, with --control akde-bo"
    )


class KeptSettings:
    """Settings of a training as a part of its state; nothing is added to its losses.

    Args:
        adjustable: Settings that are kept.
    """

    def __init__(self, adjustable: Adjustable) -> None:
        self._adjustable = adjustable

    def begin(self, step: int) -> None:
        """Take in that a step begins."""

    def penalty(self, player: str, step: int, **tensors: Any) -> Tensor:
        """Return 0, which is what is added to a player's loss."""
        return torch.zeros(())

    def state_dict(self) -> dict[str, Any]:
        """Copy the settings."""
        return {"settings": dict(self._adjustable.settings())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set what a state of `state_dict` holds."""
        self._adjustable.adjust(**state["settings"])


def _source_of_small_gans() -> str:
    """Text of `controlled.py` with the class that it derives from taken from `train.py`."""
    text = Path(str(controlled.__file__)).read_text(encoding="utf-8")
    return text.replace(_OF_SMALL_GANS, "from train import")
