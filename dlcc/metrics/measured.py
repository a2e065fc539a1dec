"""A figure with its standard error: what every metric of this room returns."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dlcc.measurement import Measurement


@dataclass(frozen=True)
class Measured(Measurement):
    """Figure of a metric: what was estimated from samples, with how far another draw of them would
    put it.

    >>> low, high = Measured(0.5, 0.1, "closed form", (100, 100)).interval(0.9)
    >>> round(low, 3), round(high, 3)
    (0.336, 0.664)
    """

    method: str
    """How the error was obtained, and what it leaves out."""
    rows: tuple[int, ...]
    """Rows of each set: generated, then data."""


def over_floor(measured: Measured, floor: Measured) -> Measured:
    """`measured / floor`, with both errors in it (delta method, the two taken as independent).

    1 is as near to the target as a fresh draw of it. For distances whose floor is above 0 (sliced
    Wasserstein); an unbiased MMD² or energy has floor 0: divide by the floor's `sd` there.

    Raises:
        ValueError: the floor is not above 0.
    """
    if not floor.value > 0:
        raise ValueError(
            f"the floor is {floor.value:g}; expected a number above 0: compare an unbiased "
            "statistic with the floor's standard deviation instead"
        )
    ratio = measured.value / floor.value
    error = math.hypot(measured.error, ratio * floor.error) / floor.value
    return Measured(ratio, error, f"{measured.method}; floor: {floor.method}", measured.rows)


def share_variance(hits: int, total: int) -> float:
    """Variance of a share, of the share with half a hit and half a miss more: never 0."""
    share = (hits + 0.5) / (total + 1)
    return share * (1 - share) / total
