"""Draws that settings are made of: by shares, and evenly over orders of magnitude."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Shares = Mapping[Any, float]
"""Value to its relative share."""


def by_shares(rng: np.random.Generator, shares: Shares) -> Any:
    """Draw a value by the shares.

    >>> by_shares(np.random.default_rng(0), {"adam": 1.0, "sgd": 0.0})
    'adam'
    """
    p = np.array([*shares.values()])
    return [*shares][int(rng.choice(len(p), p=p / p.sum()))]


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform.

    >>> 1e-3 < log_uniform(np.random.default_rng(0), 1e-3, 1e-1) < 1e-1
    True
    """
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def rounded(value: float) -> float:
    """Round to three significant digits.

    >>> rounded(0.0123456)
    0.0123
    """
    return float(f"{value:.3g}")
