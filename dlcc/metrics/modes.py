"""Modes that samples reach, where the target's centres are known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from dlcc.metrics.distances import squared_distances
from dlcc.metrics.figures import Measured, share_variance
from dlcc.metrics.inputs import block, checked, parts


@dataclass(frozen=True)
class Modes:
    """Modes that samples reach, and the samples that lie near one."""

    coverage: Measured
    """Share of the modes that are reached, in [0, 1]."""
    good: Measured
    """Share of the samples within the radius of their nearest centre, in [0, 1]."""
    histogram: tuple[int, ...]
    """Number of good samples of each mode, [modes]."""


def mode_coverage(
    samples: ArrayLike, centres: ArrayLike, radius: float, *, reached: float = 0.2
) -> Modes:
    """Estimate the share of known modes that samples reach, and the share of good samples.

    They are those of Srivastava et al. 2017, section 4.1, as shares.

    Args:
        samples: Generated rows [n, d], n ≥ 2.
        centres: Centres of the modes [modes, d], equally likely.
        radius: Distance to the nearest centre within which a sample is good, in units of the rows;
            three standard deviations of a mode are usual.
        reached: Share, in (0, 1], of the n / modes samples that a mode should have with which it
            counts as reached.

    Returns:
        Both shares, and the good samples of each mode. Errors are in closed form: binomial for the
        good samples; for the modes, each one's chance to be reached again by a draw with the shares
        seen, taken as independent.

    Raises:
        ValueError: rows or centres of another shape, not finite or of different widths, fewer than
            2 rows, a radius that is not above 0, or a share that is not in (0, 1].

    >>> centres = [[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]
    >>> samples = [[-1.0, 0.1], [-0.9, 0.0], [0.1, 0.0], [0.0, 0.0], [0.5, 0.5]]
    >>> found = mode_coverage(samples, centres, radius=0.3)
    >>> found.histogram, round(found.coverage.value, 2), found.good.value
    ((2, 2, 0), 0.67, 0.8)
    """
    x, middles = checked(samples, "samples"), checked(centres, "centres", 1)
    if x.shape[1] != middles.shape[1]:
        raise ValueError(
            f"samples have {x.shape[1]} features and centres {middles.shape[1]}; expected the same"
        )
    if not (radius > 0 and math.isfinite(radius)):
        raise ValueError(f"radius is {radius}; expected a length above 0")
    if not 0 < reached <= 1:
        raise ValueError(f"reached is {reached}; expected a share in (0, 1]")
    histogram = np.zeros(len(middles), dtype=np.int64)
    at = block(middles, slice(None))
    for part in parts(x):
        squared = squared_distances(block(x, part), at)
        nearest = squared.argmin(axis=1)
        inside = squared.min(axis=1) <= radius**2
        histogram += np.bincount(nearest[inside], minlength=len(at))
    n, modes = len(x), len(at)
    needed = reached * n / modes
    least = math.ceil(needed - 1e-9)
    shares = (histogram + 0.5) / (n + 1)
    again = special.betainc(least, n - least + 1, shares)  # of a binomial, at least that many
    error = math.sqrt(float((again * (1 - again)).sum())) / modes
    good = int(histogram.sum())
    return Modes(
        Measured(float(np.mean(histogram >= least)), error, "closed form, modes independent", (n,)),
        Measured(good / n, math.sqrt(share_variance(good, n)), "closed form, binomial", (n,)),
        tuple(histogram.tolist()),
    )
