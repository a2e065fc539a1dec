"""Figures with their standard errors: the result of every metric."""

from __future__ import annotations

import math
from dataclasses import dataclass

from dlcc.measurement import Measurement


@dataclass(frozen=True)
class Measured(Measurement):
    """Estimate from samples, and how far another draw of them would put it.

    >>> low, high = Measured(0.5, 0.1, "closed form", (100, 100)).interval(0.9)
    >>> round(low, 3), round(high, 3)
    (0.336, 0.664)
    """

    method: str
    """Method by which the error was obtained, and what it leaves out."""
    rows: tuple[int, ...]
    """Number of rows of each set: generated, then data."""


def over_floor(measured: Measured, floor: Measured) -> Measured:
    """Divide a distance by its noise floor: 1 is as near to the target as a fresh draw of it.

    Meant for distances whose floor is above 0, such as sliced Wasserstein. An unbiased MMD² or
    energy distance has floor 0: divide by the floor's `sd` there.

    Args:
        measured: Distance of the generated rows.
        floor: Floor of that distance, as `noise_floor` measures it, above 0.

    Returns:
        The ratio, without a unit; both errors are in it (delta method, taken as independent).

    Raises:
        ValueError: the floor is not above 0.

    >>> distance = Measured(0.6, 0.03, "closed form", (200, 200))
    >>> floor = Measured(0.1, 0.004, "scatter of 20 pairs", (200, 200))
    >>> print(over_floor(distance, floor))
    6 ± 0.38
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
    """Variance of a share, computed with half a hit and half a miss more, so that it is never 0."""
    share = (hits + 0.5) / (total + 1)
    return share * (1 - share) / total
