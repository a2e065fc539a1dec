"""The run's protocol rewritten into a plan of reruns.

Three kinds: other seeds; other batches from the same initial weights; and a fractional factorial
design over the settings that matter (Box, Hunter and Hunter 2005, chapter 6), each at two levels,
with a seed of its own a run.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Kind = Literal["seed", "batches", "setting"]
_SHARES: Mapping[Kind, float] = {"seed": 0.5, "batches": 0.1, "setting": 0.4}
_LARGEST_SEED = 2**31
HIGHEST_RATE = 10.0
"""No rerun and no advice sets a rate beyond it."""
RATES = ("lr_g", "lr_d", "lr")
"""Keys of learning rates; `lr` is that of both players."""


@dataclass(frozen=True)
class Rerun:
    """One training of a plan."""

    kind: Kind
    config: Mapping[str, Any]
    """The whole configuration, with its seed."""
    weights_seed: int | None = None
    """Seed of the initial weights where it is not that of the batches."""
    levels: Mapping[str, int] = field(default_factory=dict)
    """Of the settings that the design varies: −1 or 1."""


@dataclass(frozen=True)
class Factor:
    """A setting at two levels."""

    key: str
    low: Any
    high: Any


def factors_of(config: Mapping[str, Any]) -> list[Factor]:
    """The settings that matter and that the configuration has.

    Rates a factor of two down and up (not beyond the highest), Adam's β1 at 0 and .5, R1 without
    and with, every step for both players or as it is.
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
    """`runs` rows of −1 and 1, a key a factor, repeated where there are more runs than rows.

    All combinations where they fit; else the half of them in which the product of all levels is 1,
    so that no main effect is mixed with another one or with an interaction of two; else the columns
    of a Hadamard matrix, in which main effects are mixed with interactions but not with each other.
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
    """A plan of `n` reruns; `batches` whether weights and batches can have seeds of their own."""
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


def is_number(value: object) -> bool:
    """Whether it is one that can be calculated with: JSON knows integers beyond any float."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def is_positive(value: Any) -> bool:
    """Whether it is a number above 0."""
    return is_number(value) and value > 0
