"""Acquisition functions: how much is to be hoped for at a point."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from dlcc.typing import Floats

KAPPA = 1.0
"""Deviations that the upper confidence bound lies above the mean."""
ACQUISITIONS = ("ucb", "ei")


def upper_confidence_bound(mean: Floats, deviation: Floats, kappa: float = KAPPA) -> Floats:
    """Compute μ + κ σ (Srinivas et al. 2010, eq. 6).

    Args:
        mean: Means [m].
        deviation: Standard deviations [m].
        kappa: Weight κ of what is not known.

    Returns:
        Bounds [m], to be maximised.

    >>> upper_confidence_bound(np.array([1.0]), np.array([0.5]), kappa=2.0)
    array([2.])
    """
    return mean + kappa * deviation


def expected_improvement(mean: Floats, deviation: Floats, best: float) -> Floats:
    """Compute E max(0, y − best) of a normal y (Jones et al. 1998, eq. 15).

    Args:
        mean: Means [m].
        deviation: Standard deviations [m].
        best: Best value so far.

    Returns:
        Expected improvements [m], to be maximised.

    >>> expected_improvement(np.array([0.0, 2.0]), np.array([1.0, 0.0]), best=1.0).round(3)
    array([0.083, 1.   ])
    """
    sd = np.maximum(deviation, 1e-12)
    u = (mean - best) / sd
    density = np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray((mean - best) * ndtr(u) + sd * density)
