"""Data of the fault bench: a ring of Gaussians, scikit-learn's digits, Fashion-MNIST."""

from __future__ import annotations

import gzip
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

RING_MODES, RING_SD = 8, 0.05
FASHION = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
"""Folder of the images: that of Debian's package dataset-fashion-mnist."""
_FASHION_ROWS = 6_000


def ring(rows: int, rng: np.random.Generator) -> Tensor:
    """Rows [rows, 2] of eight Gaussians on the unit circle."""
    angles = rng.integers(0, RING_MODES, rows) * (2 * np.pi / RING_MODES)
    centres = np.stack((np.cos(angles), np.sin(angles)), axis=1)
    points = centres + RING_SD * rng.normal(size=(rows, 2))
    return torch.tensor(points, dtype=torch.float32)


@lru_cache(maxsize=1)
def digits() -> Tensor:
    """Rows [1797, 64] of scikit-learn's digits, in [-1, 1], in a fixed random order."""
    images = load_digits().data / 8.0 - 1.0
    order = np.random.default_rng(0).permutation(len(images))
    return torch.tensor(images[order], dtype=torch.float32)


@lru_cache(maxsize=1)
def fashion() -> Tensor:
    """Rows [6000, 1, 28, 28] of Fashion-MNIST's test images, in [-1, 1]."""
    with gzip.open(FASHION / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), dtype=np.uint8, offset=16)
    images = pixels.reshape(-1, 1, 28, 28)[:_FASHION_ROWS] / 127.5 - 1.0
    return torch.tensor(images, dtype=torch.float32)
