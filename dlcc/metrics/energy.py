"""Energy distance (Székely and Rizzo 2013)."""

from __future__ import annotations

from numpy.typing import ArrayLike

from dlcc.metrics.inputs import checked_pair
from dlcc.metrics.kernels import Distance
from dlcc.metrics.mmd import LEAST_ROWS
from dlcc.metrics.pairs import Discrepancy, discrepancy


def energy_distance(generated: ArrayLike, data: ArrayLike, *, biased: bool = False) -> Discrepancy:
    """Estimate the squared energy distance 2 E‖X − Y‖ − E‖X − X'‖ − E‖Y − Y'‖, with its error.

    Not its root: `scipy.stats.energy_distance` is the root of the biased value, for one dimension.

    Args:
        generated: rows [n, d], n ≥ 4.
        data: rows [m, d], m ≥ 4: the target.
        biased: the V-statistic, which is never below 0.

    Returns:
        In units of the rows. The error has the variance's closed form (`pairs`); `floor` is the
        standard deviation of the unbiased value, whose mean is 0, between two draws of the data;
        `permutation_test` tells how rare the value is among equal laws. Costs as `squared_mmd`.

    Raises:
        ValueError: rows that cannot be used.
    """
    x, y = checked_pair(generated, data, LEAST_ROWS)
    return discrepancy(Distance(), x, y, biased=biased)
