"""Images to train on, scaled to [−1, 1]: those bundled with scikit-learn, or files of a folder."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

ROWS = {"digits": 1_797, "mnist": 60_000, "fashion": 60_000, "cifar10": 50_000}
"""Images of the training part of a data set."""
SHAPES = {"digits": (1, 28), "mnist": (1, 28), "fashion": (1, 28), "cifar10": (3, 32)}
"""Their channels and side."""
IMAGES = tuple(ROWS)


def load_images(name: str, folder: str) -> NDArray[np.float32]:
    """Images [n, channels, side, side] in [−1, 1].

    Args:
        name: of `IMAGES`; digits are scaled up to the 28 pixels that MNIST has.
        folder: where the files are; digits need none.

    Raises:
        RunError: a file is missing, cut or not what it should be.
    """
    if name == "digits":
        from dlcc.recipes.small_gan import load_digits

        small = torch.from_numpy(load_digits()[0]).view(-1, 1, 8, 8)
        return scaled_up(small, (28, 28)).numpy()
    raise NotImplementedError(name)


def scaled_up(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Images [n, channels, *] to a larger size, bilinear."""
    return F.interpolate(images, size=size, mode="bilinear", align_corners=False)
