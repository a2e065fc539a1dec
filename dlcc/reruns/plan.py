"""Plan of reruns, made from the configuration of a run.

There are three kinds: other seeds; other batches from the same initial weights; and a fractional
factorial design over the settings that matter (Box, Hunter and Hunter 2005, chapter 6), each at two
levels, with a seed of its own for each run.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from dlcc.settings.nested import is_number

Kind = Literal["seed", "batches", "setting"]
_SHARES: Mapping[Kind, float] = {"seed": 0.5, "batches": 0.1, "setting": 0.4}
_LARGEST_SEED = 2**31
HIGHEST_RATE = 10.0
"""Highest learning rate that a rerun or advice sets."""
RATES = ("lr_g", "lr_d", "lr")
"""Names of the fields with learning rates; `lr` is that of both players."""


@dataclass(frozen=True)
class Rerun:
    """One training of a plan."""

    kind: Kind
    """Difference from the run: another seed, other batches, or other settings."""
    config: Mapping[str, Any]
    """Whole configuration, its seed included."""
    weights_seed: int | None = None
    """Seed of the initial weights where it is not that of the batches."""
    levels: Mapping[str, int] = field(default_factory=dict)
    """Setting that the design varies -> its level, −1 (low) or 1 (high)."""


@dataclass(frozen=True)
class Factor:
    """Setting at two levels."""

    key: str
    """Field of the configuration."""
    low: Any
    """Value at level −1."""
    high: Any
    """Value at level 1."""


def factors_of(config: Mapping[str, Any]) -> list[Factor]:
    """Choose the settings to vary among those that the configuration has.

    Learning rates go a factor of two down and up (not beyond the highest), Adam's β1 is 0 or .5, R1
    is off or on, and each player is updated at every step or as often as it is now.
    """
    found = [
        Factor(key, config[key] / 2, min(config[key] * 2, max(config[key], HIGHEST_RATE)))
        for key in RATES
        if is_positive(config.get(key))
    ]
    if is_number(config.get("beta1")) and config.get("optimizer", "adam") != "rmsprop":
        found.append(Factor("beta1", 0.0, 0.5))
    if is_number(config.get("r1")):
        found.append(Factor("r1", 0.0, 0.1))
    found += [
        Factor(key, 1, config[key])
        for key in ("g_every", "d_every")
        if is_number(config.get(key)) and config[key] > 1
    ]
    return found


def design(factors: Sequence[Factor], runs: int) -> list[dict[str, int]]:
    """Lay out a two-level design: `runs` rows that give each factor the level −1 or 1.

    It has all combinations where they fit; else the half of them in which the product of all levels
    is 1, so that no main effect is mixed with another one or with an interaction of two; else the
    columns of a Hadamard matrix, in which main effects are mixed with interactions but not with
    each other. Rows are repeated where there are more runs than rows.
    """
    if not factors or runs < 2:
        return []
    keys = [factor.key for factor in factors]
    rows = np.array(list(itertools.product((-1, 1), repeat=len(keys))))
    if len(rows) > runs and len(keys) > 3:
        rows = rows[rows.prod(axis=1) == 1]
    if len(rows) > runs:
        from scipy.linalg import hadamard

        rows = np.asarray(hadamard(1 << len(keys).bit_length()))[:, 1 : len(keys) + 1]
    return [dict(zip(keys, map(int, rows[k % len(rows)]), strict=True)) for k in range(runs)]


def plan_reruns(
    config: Mapping[str, Any], n: int, rng: np.random.Generator, *, batches: bool = True
) -> list[Rerun]:
    """Plan reruns of a configuration with other seeds, other batches and other settings.

    Args:
        config: Whole configuration of the run, with the field `seed`.
        n: Number of reruns: half with other seeds, a tenth with other batches from the same initial
            weights, the rest with other settings by a two-level design. Other seeds take the place
            of what cannot be varied.
        rng: Generator of the seeds.
        batches: Whether initial weights and batches can have seeds of their own.

    Returns:
        n reruns, those with other seeds first.

    >>> import numpy as np
    >>> from dlcc.reruns import plan_reruns
    >>> config = {"lr_g": 0.001, "lr_d": 0.004, "r1": 0.0, "seed": 0}
    >>> plan = plan_reruns(config, 20, np.random.default_rng(0))
    >>> [sum(rerun.kind == kind for rerun in plan) for kind in ("seed", "batches", "setting")]
    [10, 2, 8]
    >>> plan[-3].config["lr_g"], plan[-3].levels
    (0.002, {'lr_g': 1, 'lr_d': 1, 'r1': 1})
    """
    factors = factors_of(config)
    settings = design(factors, round(_SHARES["setting"] * n))
    same_weights = round(_SHARES["batches"] * n) if batches else 0
    seeds = iter(int(s) for s in rng.choice(_LARGEST_SEED, size=n, replace=False))
    plan = [
        Rerun("setting", {**config, **_at(factors, row), "seed": next(seeds)}, levels=row)
        for row in settings
    ]
    own = config.get("seed")
    if isinstance(own, int):
        plan += [
            Rerun("batches", {**config, "seed": next(seeds)}, weights_seed=own)
            for _ in range(same_weights)
        ]
    more = n - len(plan)
    return [Rerun("seed", {**config, "seed": next(seeds)}) for _ in range(more)] + plan


def _at(factors: Sequence[Factor], levels: Mapping[str, int]) -> dict[str, Any]:
    return {f.key: f.high if levels[f.key] > 0 else f.low for f in factors}


def is_positive(value: Any) -> bool:
    """Whether a value is a number above 0."""
    return is_number(value) and value > 0
