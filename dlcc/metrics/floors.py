"""Noise floor of a distance: its value between two draws of the target."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from dlcc.metrics.figures import Measured
from dlcc.metrics.inputs import checked, checked_count
from dlcc.typing import Rows

Draw = Callable[[int, np.random.Generator], ArrayLike]
"""Function of n and a generator of random numbers that draws fresh rows [n, d] of the target."""
Statistic = Callable[[Rows, Rows], Measured | float]
"""Distance between rows [n, d] and rows [m, d]."""


@dataclass(frozen=True)
class Floor(Measured):
    """Mean of a distance between draws of the target, in units of the distance."""

    sd: float
    """Standard deviation of a single such distance."""
    upper: float
    """Quantile of the distances at 95 %."""
    repeats: int
    """Number of pairs of draws."""


def noise_floor(
    statistic: Statistic,
    target: ArrayLike | Draw,
    rows: tuple[int, int],
    *,
    repeats: int = 20,
    rate: float = 0.5,
    seed: int = 0,
) -> Floor:
    """Measure a distance between two draws of the target, many times.

    Args:
        statistic: Distance between rows [n, d] and rows [m, d], e.g. `sliced_wasserstein`.
        target: Function that draws from the target: two fresh draws of `rows` each time. Or rows
            [m, d] of it: two random halves each time, whose distance is carried over to `rows` by
            (1/n + 1/m)^rate; exact for sliced Wasserstein as the numbers of rows grow. Halves share
            their rows, so that the error tells of the splits alone.
        rows: Numbers of rows (n, m) of the comparison that the floor is for.
        repeats: Number of pairs, 2 or more.
        rate: Exponent for a target of rows: 0.5 for sliced Wasserstein; 1 for squared distances, as
            biased MMD² and energy distance are.
        seed: Seed of draws and splits.

    Returns:
        The mean distance in units of the statistic, with the error sd / √repeats.

    Raises:
        ValueError: rows of another shape, ones that are not finite or beyond 1e20, fewer than four
            of them to split, `rows` below 2, or fewer than 2 `repeats`.

    >>> from dlcc.metrics import sliced_wasserstein
    >>> def target(n, rng):
    ...     return rng.standard_normal((n, 1))
    >>> floor = noise_floor(sliced_wasserstein, target, rows=(200, 200))
    >>> generated, data = (target(200, np.random.default_rng(seed)) for seed in (1, 2))
    >>> distance = sliced_wasserstein(1.5 * generated, data)
    >>> round(floor.value, 2), round(floor.upper, 2), round(distance.value, 2)
    (0.13, 0.2, 0.3)
    """
    checked_count(repeats, "repeats", 2)
    n, m = (checked_count(count, "rows", 2) for count in rows)
    rng = np.random.default_rng(seed)
    values = []
    if callable(target):
        method = f"scatter of {repeats} pairs of fresh draws, seed {seed}"
        for _ in range(repeats):
            x, y = checked(target(n, rng), "a draw"), checked(target(m, rng), "a draw")
            values.append(_value(statistic(x, y)))
    else:
        method = f"scatter of {repeats} random halves, seed {seed}"
        given = checked(target, "target", 4)
        half = len(given) // 2
        factor = ((1 / n + 1 / m) * half / 2) ** rate
        for _ in range(repeats):
            order = rng.permutation(len(given))
            x, y = given[order[:half]], given[order[half : 2 * half]]
            values.append(factor * _value(statistic(x, y)))
    sd = float(np.std(values, ddof=1))
    return Floor(
        float(np.mean(values)),
        sd / math.sqrt(repeats),
        method,
        (n, m),
        sd=sd,
        upper=float(np.quantile(values, 0.95)),
        repeats=repeats,
    )


def _value(found: Measured | float) -> float:
    """Bare value of a statistic, with or without an error."""
    return found.value if isinstance(found, Measured) else float(found)
