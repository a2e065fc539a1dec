"""Configuration of a run as figures: what the settings alone say.

The name of the data set is not among them, so that what is learnt carries over to other data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from dlcc.health.domain import LOSSES, OPTIMIZERS

_SEED_KEYS = ("seed",)


def _log10(value: float) -> float:
    """Logarithm to base 10, bounded below."""
    return math.log10(max(value, 1e-12))


_NUMBERS: Mapping[str, Callable[[float], float]] = {
    "lr_g": _log10,
    "lr_d": _log10,
    "beta1": lambda b: b,
    "beta2": lambda b: -_log10(1 - b),
    "g_every": math.log2,
    "d_every": math.log2,
    "r1": lambda r: _log10(r + 1e-3),
    "batch": math.log2,
    "width": math.log2,
    "depth": lambda d: d,
    "zdim": math.log2,
    "init": lambda i: math.log2(max(i, 1e-3)),
}

CONFIG_FEATURES = (
    *_NUMBERS,
    "lr_ratio",
    *(f"loss_{loss}" for loss in LOSSES),
    *(f"optimizer_{name}" for name in OPTIMIZERS),
)
"""Names of the figures of `config_features`, which explains them."""


def config_features(config: Mapping[str, Any]) -> NDArray[np.float64]:
    """Compute `CONFIG_FEATURES` of a configuration, [21]; NaN for what it does not say.

    A rate `lr` is that of both players, where they have none of their own.

    Rates and r1 as log10, widths, ratios and sizes as log2, β2 as −log10(1 − β2); `lr_ratio` is
    log10(lr_d / lr_g); losses and optimisers are 0 or 1, all 0 for one that is not in the list.
    """
    given = {key: value for key, value in config.items() if value is not None}
    said = {"lr_g": given.get("lr"), "lr_d": given.get("lr"), **given}
    figures = {key: _figure(scale, said.get(key)) for key, scale in _NUMBERS.items()}
    figures["lr_ratio"] = figures["lr_d"] - figures["lr_g"]
    for name in LOSSES:
        figures[f"loss_{name}"] = _is(config.get("loss"), name)
    for name in OPTIMIZERS:
        figures[f"optimizer_{name}"] = _is(config.get("optimizer"), name)
    return np.array([figures[name] for name in CONFIG_FEATURES])


def setting_key(config: Mapping[str, Any]) -> str:
    """Hash a configuration without its seed: runs of one setting share it."""
    parts = sorted(f"{k}={v!r}" for k, v in config.items() if k not in _SEED_KEYS)
    return xxhash.xxh3_64_hexdigest("\0".join(parts).encode())


def _figure(scale: Callable[[float], float], value: object) -> float:
    """Scale a number; NaN for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(scale(value)) if math.isfinite(value) else math.nan
    except (ValueError, OverflowError):  # a logarithm of what should be positive; a huge integer
        return math.nan


def _is(value: object, name: str) -> float:
    """Indicator of a name, 0 or 1; NaN where there is no value."""
    return math.nan if value is None else float(value == name)
