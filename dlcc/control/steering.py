"""Steering: the settings within bounds with which past runs of such a configuration did well."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcc.advice.prior import ConfigPrior
from dlcc.control.adjustable import Bounds
from dlcc.typing import Floats

RATES = ("lr_g", "lr_d")
_POINTS = 15  # of each rate, evenly spaced in its logarithm
_OTHERS = {"r1": (0.0, 0.1, 1.0), "g_every": (1.0,), "d_every": (1.0,)}
LEAST_GAIN = 0.15  # in P(healthy), below which nothing is changed
SOUND = 0.6  # P(healthy) from which on a configuration is left alone
_NEAR = 0.02  # of the best: the smallest change among these is taken


@dataclass(frozen=True)
class Target:
    """Settings to steer to."""

    target: Mapping[str, float]
    """Setting that changes -> its new value."""
    before: float
    """P(healthy) of the present configuration by past runs."""
    after: float
    """P(healthy) of the target by past runs."""

    def step(self, settings: Mapping[str, float], factor: float) -> dict[str, float]:
        """Take one step toward the target: each field by at most a factor, whole numbers by one."""
        return {
            field: _toward(field, settings[field], goal, factor)
            for field, goal in self.target.items()
            if settings[field] != goal
        }


def choose_target(
    prior: ConfigPrior,
    config: Mapping[str, Any],
    settings: Mapping[str, float],
    bounds: Mapping[str, Bounds],
) -> Target | None:
    """Find the settings within bounds that past runs did best with, the rest of `config` as it is.

    P(healthy) is averaged over the neighbouring rates of the grid: a peak of one point is an
    artefact of the trees. None where the configuration is sound already, or too little would be
    gained.
    """
    now = {**config, **settings}
    before = float(prior([now])[0])
    if before >= SOUND:
        return None
    axes = {field: _axis(field, settings[field], bound) for field, bound in bounds.items()}
    points = [dict(zip(axes, p, strict=True)) for p in itertools.product(*axes.values())]
    p = prior([{**now, **point} for point in points]).reshape([len(a) for a in axes.values()])
    for axis, field in enumerate(axes):
        if field.startswith("lr_"):
            p = _smoothed(p, axis)
    flat = p.ravel()
    near = np.flatnonzero(flat >= flat.max() - _NEAR)
    chosen = min(near, key=lambda k: _distance(points[int(k)], settings))
    after = float(flat[chosen])
    target = {f: v for f, v in points[int(chosen)].items() if v != settings[f]}
    return Target(target, before, after) if target and after - before >= LEAST_GAIN else None


def _axis(field: str, value: float, bound: Bounds) -> list[float]:
    if field.startswith("lr_"):
        low = max(bound.low, 1e-7)
        grid = [float(f"{v:.3g}") for v in np.geomspace(low, max(low, bound.high), _POINTS)]
        inside = [bound.clip(v) for v in grid]
        return sorted({*inside, value})
    return sorted({value, *(v for v in _OTHERS.get(field, ()) if bound.clip(v) == v)})


def _smoothed(p: Floats, axis: int) -> Floats:
    moved = np.moveaxis(p, axis, 0)
    padded = np.concatenate([moved[:1], moved, moved[-1:]])
    return np.moveaxis((padded[:-2] + padded[1:-1] + padded[2:]) / 3, 0, axis)


def _distance(point: Mapping[str, float], settings: Mapping[str, float]) -> float:
    return sum(abs(math.log10((v + 1e-3) / (settings[f] + 1e-3))) for f, v in point.items())


def _toward(field: str, value: float, goal: float, factor: float) -> float:
    if field.endswith("every"):
        return value + float(np.clip(goal - value, -1, 1))
    if field == "r1" and value == 0:
        return min(goal, 0.1)
    if field == "r1" and goal == 0 and value <= 0.1:
        return 0.0
    low, high = value / factor, value * factor
    return float(min(high, max(low, goal)))
