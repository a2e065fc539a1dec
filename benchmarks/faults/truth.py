"""Truth about a training: what its samples say, never its log.

`distance` of samples from the data, 0 for perfect ones and about 1 for those that have nothing of
them: on images the Fréchet distance in the data's 32 leading principal components over the data's
variance there; on the ring 1 - (share of samples within three standard deviations of a mode) *
(share of modes that have a fifth of their due).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from faults.data import RING_MODES, RING_SD, digits, fashion

Floats = NDArray[np.float64]
COMPONENTS = 32
GOOD = {"ring": 0.6, "digits": 0.75, "dcgan": 0.4, "wgangp": 0.75, "vae": 0.5}
"""Distance under which samples are good at the end, by the recipe."""


def distance(data: str, samples: Tensor) -> float:
    """Distance of samples from the data; infinite where any is not finite."""
    rows = samples.detach().double().reshape(len(samples), -1).numpy()
    if not np.isfinite(rows).all() or np.abs(rows).max() > 1e6:
        return float("inf")
    if data == "ring":
        return _of_ring(rows)
    mean, axes, covariance = _components(data)
    parts = (rows - mean) @ axes
    return _frechet(parts, covariance)


def _of_ring(rows: Floats) -> float:
    angles = np.arange(RING_MODES) * (2 * np.pi / RING_MODES)
    centres = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    apart = np.linalg.norm(rows[:, None] - centres[None], axis=2)
    inside = apart.min(axis=1) <= 3 * RING_SD
    counts = np.bincount(apart.argmin(axis=1)[inside], minlength=RING_MODES)
    covered = float((counts >= 0.2 * len(rows) / RING_MODES).mean())
    return 1.0 - float(inside.mean()) * covered


@lru_cache(maxsize=2)
def _components(data: str) -> tuple[Floats, Floats, Floats]:
    """Mean [features], leading axes [features, 32] and variances [32] of a data set."""
    images = (digits() if data == "digits" else fashion()).double()
    rows = images.reshape(len(images), -1).numpy()
    mean = rows.mean(axis=0)
    variances, axes = np.linalg.eigh(np.cov(rows.T))
    return mean, axes[:, ::-1][:, :COMPONENTS].copy(), variances[::-1][:COMPONENTS].copy()


def _frechet(parts: Floats, variances: Floats) -> float:
    """Fréchet distance of rows [n, k] to a centred Gaussian of independent parts, over its size."""
    covariance = np.cov(parts.T)
    root = np.sqrt(variances)
    inner = np.linalg.eigvalsh(root[:, None] * covariance * root[None, :])
    between = np.sqrt(np.clip(inner, 0, None)).sum()
    total = (parts.mean(axis=0) ** 2).sum() + np.trace(covariance) + variances.sum() - 2 * between
    return float(total / variances.sum())
