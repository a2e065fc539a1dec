"""Situation of a training at a decision: figures of its record by then, and of its settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcc.health.windows import window_figure
from dlcc.past_runs.configuration import CONFIG_FEATURES, config_features
from dlcc.typing import Floats

DECISIONS = (0.04, 0.12, 0.24, 0.4, 0.6)
"""Shares of the length at which a decision is taken."""
WINDOWS = 50
"""Number of equal windows that the length is cut into."""
_LOOKED_BACK = 8  # windows, over which what swings is told from what moves

_LEVELS = ("generator_loss", "discriminator_loss", "margin")
_SPREADS = (*(f"{name}_sd" for name in _LEVELS), "generator_grad_sd", "discriminator_grad_sd")
_MOVING = (*_LEVELS, "generator_grad", "discriminator_grad")
_RECORD = (
    "share",
    *_LEVELS,
    *_SPREADS,
    "gradient_ratio",
    *(f"{name}_since_start" for name in _MOVING),
    *(f"{name}_change" for name in _MOVING),
    *(f"{name}_swing" for name in _LEVELS),
    "lost",
    "lr_g_so_far",
    "lr_d_so_far",
    "r1_now",
)
RECORD_FIGURES = (*_RECORD, *(name for name in CONFIG_FEATURES if name.startswith("loss_")))
"""Names of the figures that have no scale: the dynamics, changes so far, and the objective."""
SETTING_FIGURES = tuple(name for name in CONFIG_FEATURES if not name.startswith("loss_"))
"""Names of the figures of the settings as they are at the decision."""
SITUATION_FIGURES = (*RECORD_FIGURES, *SETTING_FIGURES)
"""Names of all figures of `Situation.figures`."""


@dataclass(frozen=True)
class Situation:
    """Situation of a training at a decision.

    >>> windows = np.zeros((2, 11))
    >>> seen = Situation(0.04, windows, {"loss": "ns"}, {"lr_g": 0.1, "lr_d": 0.1}, {"lr_g": 0.05})
    >>> figures = dict(zip(SITUATION_FIGURES, seen.figures().tolist()))
    >>> figures["share"], figures["lr_g_so_far"], figures["loss_ns"]
    (0.04, -1.0, 1.0)
    """

    share: float
    """Share of the length that is done."""
    windows: Floats
    """Figures `WINDOW_FEATURES` of the windows so far, [w, 11]; NaN for what was not logged."""
    config: Mapping[str, Any]
    """Configuration as it was set."""
    first: Mapping[str, float]
    """Setting -> value with which the training began."""
    now: Mapping[str, float]
    """Setting -> present value."""

    def figures(self) -> Floats:
        """Compute `SITUATION_FIGURES`, [k]; NaN for what is not known."""
        columns = {name: window_figure(self.windows, name) for name in (*_MOVING, *_SPREADS)}
        recent = max(1, len(self.windows) // 4)
        last = {name: _mean(values[-recent:]) for name, values in columns.items()}
        before = {name: _mean(columns[name][-2 * recent : -recent]) for name in _MOVING}
        lost = window_figure(self.windows, "not_finite")
        record = [
            self.share,
            *(last[name] for name in (*_LEVELS, *_SPREADS)),
            last["generator_grad"] - last["discriminator_grad"],
            *(last[name] - float(columns[name][0]) for name in _MOVING),
            *(last[name] - before[name] for name in _MOVING),
            *(_swing(columns[name][-_LOOKED_BACK:]) for name in _LEVELS),
            float(np.nanmax(lost, initial=0.0) > 0),
            *(_doublings(self.first, self.now, field) for field in ("lr_g", "lr_d")),
            math.log10(1e-3 + self.now.get("r1", 0.0)),
        ]
        settings = dict(
            zip(CONFIG_FEATURES, config_features({**self.config, **self.now}), strict=True)
        )
        named = dict(zip(_RECORD, record, strict=True)) | settings
        return np.array([named[name] for name in SITUATION_FIGURES], dtype=np.float64)


def _mean(values: Floats) -> float:
    """Mean of the finite values; NaN without any."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else math.nan


def _swing(values: Floats) -> float:
    """Deviation from the line through values [n]; NaN where one is not finite, 0 of two or less."""
    if not np.isfinite(values).all():
        return math.nan
    if len(values) < 3:
        return 0.0
    line = np.arange(len(values)) - (len(values) - 1) / 2
    off = values - values.mean()
    off = off - line * (line @ off) / (line @ line)
    return float(np.sqrt((off @ off) / len(values)))


def _doublings(first: Mapping[str, float], now: Mapping[str, float], field: str) -> float:
    """Binary logarithm of how many times its first value a setting has; 0 for one not there."""
    old, new = first.get(field, 0.0), now.get(field, 0.0)
    return math.log2(new / old) if old > 0 and new > 0 else 0.0
