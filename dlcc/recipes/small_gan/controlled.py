"""Small GAN with settings that may change while it trains; its state brings them along.

A controlled run keeps this file as `source/controlled.py` beside `source/train.py` and is built
from it, so that a replay which loads a snapshot steps with the settings of that moment.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dlcc.recipes.small_gan.training import Config, SmallGAN

RATES = {"lr_g": "generator", "lr_d": "discriminator"}
FIELDS = (*RATES, "r1", "g_every", "d_every")
"""Settings that may change."""


def settings_of(training: SmallGAN) -> dict[str, float]:
    """Settings of a training that may change, as they are now."""
    return {field: getattr(training.config, field) for field in FIELDS}


def change_settings(training: SmallGAN, changes: Mapping[str, float]) -> None:
    """Change settings from the next step on; ValueError for a value that `Config` refuses."""
    whole = {field: round(v) if field.endswith("every") else v for field, v in changes.items()}
    training.config = Config.parse(asdict(training.config) | whole)
    for field, player in RATES.items():
        for group in training.optimizers[player].param_groups:
            group["lr"] = getattr(training.config, field)


class ControlledGAN(SmallGAN):
    """Small GAN whose state holds its settings."""

    def settings(self) -> dict[str, float]:
        """Settings that may change, as they are now."""
        return settings_of(self)

    def adjust(self, **changes: float) -> None:
        """Change settings from the next step on."""
        change_settings(self, changes)

    def state_dict(self) -> dict[str, Any]:
        """Weights, the optimisers' tensors and the settings."""
        return super().state_dict() | {"settings": self.settings()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`; one without settings leaves these as they are."""
        super().load_state_dict(state)
        change_settings(self, state.get("settings", {}))


def build(config: Mapping[str, Any]) -> ControlledGAN:
    """Build the training of a configuration, before its first step.

    Raises:
        ValueError: a key or a value is not in `Config`.
    """
    return ControlledGAN(Config.parse(config))
