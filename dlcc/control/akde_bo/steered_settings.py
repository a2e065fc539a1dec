"""Settings that AKDE-BO steers, as numbers and as the point that its search sees."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch

from dlcc.control.adjustable import OptimizerRates, bounds_of
from dlcc.control.akde_bo.modes import Mode
from dlcc.control.akde_bo.trust_region import TrustRegion
from dlcc.errors import OptionError
from dlcc.typing import Floats

RATE_BOUNDS = (1e-2, 1e2)
"""Bounds of the factor on learning rates."""
KNOWN_GOOD = {"penalty": 1.0, "rate": 4e-3}
"""Strength and learning rate of Adam with which a GAN on images was found to do well, the values of
`akde-dcgan --set recipe=fixed`: what is sought is expected near them until windows say otherwise.
"""
_OFF = 0.5  # decades of quality that a decade away from them is expected to cost


class SteeredSettings:
    """Strength of the penalty, and a factor on the learning rates where the mode steers them.

    Args:
        mode: Mode, which says what is steered.
        optimizers: Player -> optimiser.
        penalty: Strength at first; None for the mode's.
        bounds: Setting -> (lowest, highest) value; settings that are not named stay; None for
            usual ones.

    Raises:
        OptionError: A bound is empty, excludes the present value, or is of no setting.

    >>> from dlcc.control.akde_bo.modes import MODES
    >>> optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    >>> steered = SteeredSettings(MODES["sculpt"], {"discriminator": optimizer}, None, None)
    >>> steered.set({"penalty": 2.0, "rate": 3.0})
    >>> optimizer.param_groups[0]["lr"], steered.point().round(1)
    (0.003, array([0.3, 0.5]))
    """

    def __init__(
        self,
        mode: Mode,
        optimizers: Mapping[str, torch.optim.Optimizer],
        penalty: float | None,
        bounds: Mapping[str, tuple[float, float]] | None,
    ) -> None:
        self._rates = OptimizerRates(optimizers)
        self._base = self._rates.settings()
        self.now = {"penalty": mode.penalty if penalty is None else penalty}
        """Settings as they are."""
        if mode.steers_rate:
            self.now["rate"] = 1.0
        low, high = mode.bounds
        usual = {
            "penalty": (min(low, self.now["penalty"]), max(high, self.now["penalty"])),
            "rate": RATE_BOUNDS,
        }
        self.bounds = bounds_of(self.now, bounds or {name: usual[name] for name in self.now})
        """Bounds of the settings that may change."""
        if not self.now["penalty"] > 0:
            given = self.now["penalty"]
            raise OptionError(f"control: penalty is {given:g}; give a strength above 0")
        self.first = dict(self.now)
        """Settings as they were at first."""

    def set(self, settings: Mapping[str, float]) -> None:
        """Set all settings, learning rates among them.

        Args:
            settings: Setting -> value.
        """
        self.now = dict(settings)
        if "rate" in settings:
            factor = settings["rate"]
            self._rates.adjust(**{field: rate * factor for field, rate in self._base.items()})

    def at(self, point: Floats) -> dict[str, float]:
        """Compute the settings at a point [d], within bounds."""
        return self.now | {
            name: self.bounds[name].clip(float(f"{10**x:.4g}"))
            for name, x in zip(self.bounds, point, strict=True)
        }

    def point(self) -> Floats:
        """Compute the point [d] of the present settings: decimal logarithms, in bounds' order."""
        return np.array([math.log10(self.now[name]) for name in self.bounds])

    def region(self) -> TrustRegion:
        """Make the trust region around the present settings."""
        spans = [(_log10(span.low), _log10(span.high)) for span in self.bounds.values()]
        low, high = np.array(spans).T
        return TrustRegion(self.point(), low, high)

    def prior(self, points: Floats) -> Floats:
        """Compute what is expected of points [m, d]: less by half a decade where one is one off."""
        rate = float(np.exp(np.mean([math.log(value) for value in self._base.values()])))
        usual = {"penalty": KNOWN_GOOD["penalty"], "rate": KNOWN_GOOD["rate"] / rate}
        off = points - np.log10([usual[name] for name in self.bounds])
        return np.asarray(-_OFF * (off**2).sum(axis=1))


def _log10(value: float) -> float:
    return math.log10(max(value, 1e-12))
