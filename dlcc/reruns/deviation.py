"""Deviation of the outcomes of reruns, with its uncertainty."""

from __future__ import annotations

import numpy as np

from dlcc.estimate import DRAWS, Estimate
from dlcc.typing import Floats

_LARGEST_SD = 0.5  # of numbers in [0, 1]
_PRIOR_RUNS = 0.2  # outcomes that "any outcome" counts for
_OUTCOME = 0.6  # what a rerun counts for: the deviation of few is less sure than a normal one's
_ALWAYS = 0.25  # probability, before all reruns, that nothing but what they show ever happens
_PRIOR = np.linspace(0, 1, 21)


def reproducibility(
    outcomes: Floats, rng: np.random.Generator, own: float | None = None
) -> Estimate:
    """Estimate the reproducibility Δ = 1 − sd / (largest sd possible) of outcomes.

    With the run's own outcome, what counts is how far reruns lie from that, and not from their own
    mean: reruns that agree with each other and contradict the run reproduce nothing.

    It is the posterior of the standard deviation of further reruns under a Dirichlet process:
    weights on the outcomes seen, and mostly a little on any outcome (Ferguson 1973; Rubin 1981, the
    Bayesian bootstrap). Its three constants were chosen on settings trained 24 times, ten of them
    seen, so that the 90 % interval holds the deviation of the others; benchmarks/reruns.py checks
    it on settings that had no part in this.

    Args:
        outcomes: Outcomes [n] of reruns in [0, 1], such as the stability of each; n >= 1.
        rng: Generator of the posterior's draws.
        own: Outcome of the run itself, in [0, 1]; None where it is not known, as before its end.

    Returns:
        Δ in [0, 1]; 1 is the same outcome each time.

    >>> import numpy as np
    >>> from dlcc.reruns import reproducibility
    >>> alike = reproducibility(np.array([0.9, 0.92, 0.91, 0.9]), np.random.default_rng(0))
    >>> apart = reproducibility(np.array([0.1, 0.9, 0.5, 1.0]), np.random.default_rng(0))
    >>> round(alike.mean, 1), round(apart.mean, 1)
    (0.9, 0.2)
    >>> otherwise = reproducibility(np.full(10, 0.9), np.random.default_rng(0), own=0.1)
    >>> otherwise.mean < 0.1
    True
    """
    n, draws = len(outcomes), DRAWS // 4
    prior = rng.choice(_PRIOR, size=(draws, 3))
    values = np.hstack([np.broadcast_to(outcomes, (draws, n)), prior])
    shapes = np.concatenate([np.full(n, _OUTCOME), np.full(3, _PRIOR_RUNS / 3)])
    weights = rng.dirichlet(shapes, size=draws)
    weights[: round(_ALWAYS * draws), n:] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    mean = (weights * values).sum(axis=1, keepdims=True)
    variance = (weights * (values - mean) ** 2).sum(axis=1)
    # weights and the few outcomes themselves both make a variance too small on average
    counted = shapes.sum()
    variance *= (counted + 1) / counted * n / max(1, n - 1)
    if own is not None:
        variance += (mean[:, 0] - own) ** 2
    spread = np.minimum(np.sqrt(variance), _LARGEST_SD)
    return Estimate.draws(np.clip(1 - spread / _LARGEST_SD, 0, 1))
