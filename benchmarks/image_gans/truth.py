"""Truth of a GAN on images: classes that a classifier of its own sees, and their distance.

The classifier is trained on the labelled images; health never sees it, its features or its labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dlcc.metrics import frechet_distance
from image_gans.data import Images, images

CLASSES = 10
GOOD_CLASSES, BAD_CLASSES = 8.0, 5.0
"""Classes reached, over the last quarter, of what is clearly good and clearly bad."""
GOOD_DISTANCE, BAD_DISTANCE = 0.25, 0.6
"""Fréchet distance in the classifier's features, over the trace of the data's covariance."""
_SURE = 0.7  # probability of a class from which on a sample counts for it


class Classifier(nn.Module):
    """Convolutional classifier with 64 features before its last layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(),
        )  # fmt: skip
        self.last = nn.Linear(64, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute logits [n, 10] of images [n, 1, 28, 28]."""
        found: torch.Tensor = self.last(self.body(x))
        return found


@lru_cache
@torch.enable_grad()
def classifier(data: str) -> Classifier:
    """Train the classifier of a data set."""
    pixels, labels = images(data)
    state = torch.random.get_rng_state()
    torch.manual_seed(5)
    net = Classifier()
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    x, y = torch.from_numpy(pixels)[:, None], torch.from_numpy(labels)
    for _ in range(6):
        for rows in torch.randperm(len(x)).split(64):
            noisy = x[rows] + 0.1 * torch.randn_like(x[rows])
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(noisy), y[rows]).backward()
            optimizer.step()
    torch.random.set_rng_state(state)
    return net.eval()


@torch.no_grad()
def seen(data: str, samples: Images) -> tuple[float, float]:
    """Number of classes that samples [n, 28, 28] reach, and their relative Fréchet distance."""
    if not np.isfinite(samples).all():
        return 0.0, float("inf")
    net = classifier(data)
    features = net.body(torch.from_numpy(samples)[:, None])
    p, label = net.last(features).softmax(dim=1).max(dim=1)
    counts = np.bincount(label[p > _SURE].numpy(), minlength=CLASSES)
    reached = float((counts >= 0.2 * len(samples) / CLASSES).sum())
    real = _real_features(data)
    distance = frechet_distance(features.double().numpy(), real)
    return reached, float(distance / np.trace(np.cov(real.T)))


@lru_cache
def _real_features(data: str) -> NDArray[np.float64]:
    with torch.no_grad():
        found = classifier(data).body(torch.from_numpy(images(data)[0])[:, None])
    return np.asarray(found.double().numpy())


def verdict(classes: Sequence[float], distances: Sequence[float], *, finite: bool) -> str:
    """Tell `good`, `bad` or `between` by figures at the sample steps, over the last quarter."""
    last = slice(-max(1, len(classes) // 4), None)
    reached, distance = float(np.mean(classes[last])), float(np.mean(distances[last]))
    if not finite or reached <= BAD_CLASSES or not distance < BAD_DISTANCE:
        return "bad"
    return "good" if reached >= GOOD_CLASSES and distance <= GOOD_DISTANCE else "between"
