"""Settings drawn at random: what the library's runs were trained with.

They come from four regions of learning rates, because with rates drawn over many decades hardly a
run is healthy. A fifth, "drift", is of trainings that get good first and fail later, which few of
the others do. Draw number i of a seed is always the same, however many are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlcc.past_runs.build.draws import Shares, by_shares, log_uniform
from dlcc.reruns.plan import HIGHEST_RATE

STEPS = 2500
DATA = ("ring", "digits", "grid9")
SEEDS_APART = 1_000_000
"""Factor of a build's seed in its training seeds, to which the run's number is added."""
SHAPE = ("width", "depth", "zdim", "batch")
"""Keys that the members of one ensemble share."""


@dataclass(frozen=True)
class Region:
    """Region that settings are drawn from."""

    share: float
    """Share of the runs, relative to the other regions that are asked for."""
    lr_d: tuple[float, float]
    """Range of the discriminator's rate; for SGD the rates are twenty times as large."""
    lr_ratio: tuple[float, float]
    """Range of the generator's rate relative to it."""
    choices: Mapping[str, Shares] = field(default_factory=dict)
    """Shares in place of those of `CHOICES`, by key."""


MIX = {
    "sound": Region(0.58, (1e-3, 8e-3), (0.15, 1.5)),
    "broad": Region(0.14, (1e-4, 1e-1), (0.01, 10.0)),
    "slow": Region(0.05, (3e-5, 5e-4), (0.3, 3.0)),
    "rough": Region(0.23, (1e-1, 10.0), (0.1, 3.0)),
}
PLAIN: dict[str, Shares] = {key: {1: 1.0} for key in ("g_every", "d_every", "init")}
DRIFT = {  # good first, failing later: what does that differs between the data sets
    "ring": Region(
        share=1.0,
        lr_d=(1.8e-2, 5e-2),
        lr_ratio=(0.15, 0.5),
        choices={
            **PLAIN,
            "loss": {"ns": 0.4, "mm": 0.3, "wgangp": 0.3},
            "optimizer": {"adam": 0.6, "rmsprop": 0.4},
            "beta1": {0.0: 0.6, 0.5: 0.4},
            "beta2": {0.99: 0.6, 0.9: 0.4},
            "r1": {0.0: 1.0},
            "width": {32: 0.5, 64: 0.5},
            "depth": {2: 0.5, 3: 0.5},
        },
    ),
    "digits": Region(
        share=1.0,
        lr_d=(2e-3, 5e-3),
        lr_ratio=(0.2, 0.7),
        choices={
            **PLAIN,
            "loss": {"mm": 1.0},
            "optimizer": {"rmsprop": 1.0},
            "beta2": {0.98: 0.3, 0.99: 0.5, 0.995: 0.2},
            "r1": {0.0: 1.0},
            "batch": {32: 0.8, 64: 0.2},
            "width": {32: 0.8, 64: 0.2},
            "depth": {2: 1.0},
            "zdim": {4: 0.7, 8: 0.3},
        },
    ),
}
DRIFT["grid9"] = DRIFT["ring"]
REGIONS = (*MIX, "drift")
SGD_FACTOR = 20.0

# key -> value -> its share
CHOICES: dict[str, Shares] = {
    "loss": {"ns": 0.3, "mm": 0.2, "ls": 0.15, "hinge": 0.2, "wgangp": 0.15},
    "optimizer": {"adam": 0.5, "rmsprop": 0.2, "sgd": 0.3},
    "beta1": {0.0: 0.35, 0.5: 0.45, 0.9: 0.2},
    "g_every": {1: 0.85, 2: 0.08, 5: 0.07},
    "d_every": {1: 0.9, 2: 0.06, 5: 0.04},
    "r1": {0.0: 0.6, 0.1: 0.25, 1.0: 0.1, 10.0: 0.05},
    "batch": {32: 0.8, 16: 0.1, 64: 0.1},
    "width": {32: 0.8, 16: 0.1, 64: 0.1},
    "depth": {2: 0.8, 1: 0.1, 3: 0.1},
    "zdim": {8: 0.5, 4: 0.2, 16: 0.3},
    "beta2": {0.999: 0.6, 0.99: 0.2, 0.9: 0.2},
    "init": {1.0: 0.6, 0.5: 0.15, 2.0: 0.15, 4.0: 0.1},
}


def draw_setting(
    build_seed: int, number: int, data: str, regions: Sequence[str] = tuple(MIX)
) -> dict[str, Any]:
    """Draw the configuration of one run, which depends on the build's seed and the number."""
    rng = np.random.default_rng([build_seed, number])
    settings = {key: by_shares(rng, shares) for key, shares in CHOICES.items()}
    offered = MIX | {"drift": DRIFT[data]}
    region = offered[by_shares(rng, {name: offered[name].share for name in regions})]
    settings |= {key: by_shares(rng, shares) for key, shares in region.choices.items()}
    factor = SGD_FACTOR if settings["optimizer"] == "sgd" else 1.0
    lr_d = factor * log_uniform(rng, *region.lr_d)
    lr_g = lr_d * log_uniform(rng, *region.lr_ratio)
    settings["lr_d"] = float(f"{min(lr_d, HIGHEST_RATE):.3g}")
    settings["lr_g"] = float(f"{min(lr_g, HIGHEST_RATE):.3g}")
    return settings | {"steps": STEPS, "seed": build_seed * SEEDS_APART + number}


def draw_group(build_seed: int, group: int, size: int) -> list[dict[str, Any]]:
    """Draw the configurations of one ensemble: one data set and shape, all else for each member.

    Members 0 to 7 of every ten come from the four regions, 8 and 9 from "drift".
    """
    data = DATA[group % len(DATA)]
    rng = np.random.default_rng([build_seed, group])
    shape = {key: by_shares(rng, CHOICES[key]) for key in SHAPE}
    members = []
    for k in range(size):
        regions = ("drift",) if k % 10 >= 8 else tuple(MIX)
        setting = draw_setting(build_seed, group * 1000 + k, data, regions)
        members.append({**setting, **shape, "data": data})
    return members
