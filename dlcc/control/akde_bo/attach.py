"""AKDE-BO attached to a recipe's training."""

from __future__ import annotations

from typing import Any

from dlcc.control.akde_bo.controller import AkdeBo
from dlcc.errors import OptionError
from dlcc.recipes.averaged_weights import AveragedWeights
from dlcc.recipes.image_gans.akde_dcgan import DCGAN
from dlcc.recipes.optimised import OptimisedTraining


def attach(training: Any, **options: Any) -> AkdeBo:
    """Put a recipe's training under AKDE-BO, which becomes a part of its state.

    A `DCGAN` without an average of its generator's weights gets one where losses are sculpted, and
    draws its samples from it.

    Args:
        training: Training of a recipe, before its first step.
        options: Further arguments of `AkdeBo`.

    Returns:
        The controller.

    Raises:
        OptionError: The training's losses take no penalty, or an option cannot be used.

    >>> from dlcc.recipes.image_gans import akde_dcgan
    >>> training = akde_dcgan.build({"width": 2, "batch": 4})
    >>> controller = attach(training, mode="literal")
    >>> training.step(0)["discriminator/loss"] > 0, controller.settings
    (True, {'penalty': 0.1})
    """
    if not isinstance(training, OptimisedTraining) or not training.penalised_players:
        raise OptionError(
            "control: akde-bo adds penalties to the losses of akde-dcgan, image-gan, image-vae and "
            "the autoencoders of a cube; train this one without it"
        )
    sculpts = options.get("mode", "sculpt") == "sculpt" and not options.get("dry_run")
    if sculpts and isinstance(training, DCGAN) and training.average is None:
        training.average = AveragedWeights(training.generator)
    losses = training.row_losses()
    own: dict[str, Any] = {"losses": losses, "average": False}
    if not losses:
        own["sample"] = training.sample
    controller = AkdeBo(training.players, training.optimizers, **{**own, **options})
    training.control = controller
    return controller
