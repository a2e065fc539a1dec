"""How far outcomes of reruns fall apart, with its uncertainty."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dlcc.estimate import DRAWS, Estimate

Floats = NDArray[np.float64]

_LARGEST_SD = 0.5  # of numbers in [0, 1]
_PRIOR_RUNS = 0.5  # outcomes that the prior counts for
_PRIOR = np.linspace(0, 1, 21)


def reproducibility(outcomes: Floats, rng: np.random.Generator) -> Estimate:
    """Δ = 1 − sd / (largest sd possible) of outcomes [n] in [0, 1].

    The posterior of the standard deviation of further reruns under a Dirichlet process: weights on
    the outcomes seen, and a little on any outcome (Ferguson 1973; Rubin 1981, the Bayesian
    bootstrap).
    """
    n = len(outcomes)
    prior = rng.choice(_PRIOR, size=(DRAWS // 4, 3))
    values = np.hstack([np.broadcast_to(outcomes, (len(prior), n)), prior])
    shapes = np.concatenate([np.ones(n), np.full(3, _PRIOR_RUNS / 3)])
    weights = rng.dirichlet(shapes, size=len(prior))
    mean = (weights * values).sum(axis=1, keepdims=True)
    variance = (weights * (values - mean) ** 2).sum(axis=1)
    # weights and the few outcomes themselves both make a variance too small on average
    variance *= (n + _PRIOR_RUNS + 1) / (n + _PRIOR_RUNS) * n / max(1, n - 1)
    spread = np.minimum(np.sqrt(variance), _LARGEST_SD)
    return Estimate.draws(np.clip(1 - spread / _LARGEST_SD, 0, 1))
