"""Features of images, and the name that reports show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcc.metrics import Named, frechet, frechet_distance
from dlcc.metrics.features import extract, name_of
from tests.metrics.conftest import normal

IMAGES = np.random.default_rng(0).standard_normal((50, 1, 4, 4)).astype(np.float32)


def corners(images: Any) -> Any:
    return images[:, 0, ::3, ::3].reshape(len(images), 4)


class Network:
    name = "four corners, trained on nothing"

    def __call__(self, images: Any) -> Any:
        return corners(images)


class Nameless:
    def __call__(self, images: Any) -> Any:
        return corners(images)


def test_names() -> None:
    assert name_of(None) == "rows as given"
    assert name_of("inception-v3 pool3") == "inception-v3 pool3"
    assert name_of(corners) == "corners"
    assert name_of(Network()) == "four corners, trained on nothing"
    assert name_of(Nameless()) == "Nameless"
    assert name_of(Named("mine", corners)) == "mine"


@pytest.mark.parametrize("batch", [1, 7, 50, 256])
def test_any_batch_gives_the_same(batch: int) -> None:
    found = extract(corners, IMAGES, batch=batch)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, corners(IMAGES))


def test_the_distance_shows_the_features() -> None:
    others = IMAGES[::-1] * 1.1
    found = frechet(IMAGES, others, features=Network())
    assert found.features == "four corners, trained on nothing"
    assert found.value == pytest.approx(frechet_distance(corners(IMAGES), corners(others)))
    assert frechet(normal(9, 2, 0), normal(9, 2, 1), features="pool3").features == "pool3"
    assert frechet(normal(9, 2, 0), normal(9, 2, 1)).features == "rows as given"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda images: images, r"made the shape \[7, 1, 4, 4\] of 7 images; expected \[7, feat"),
        (lambda images: corners(images)[:-1], r"shape \[6, 4\] of 7 images; expected \[7, feat"),
        (lambda images: np.float64(1), r"made the shape \[\] of 7 images"),
        (lambda images: np.zeros((len(images), len(images))), r"\[1, 1\].*expected \[1, 7\]"),
    ],
)
def test_functions_that_make_something_else(function: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        extract(function, IMAGES, batch=7)


def test_no_images() -> None:
    with pytest.raises(ValueError, match=r"images have the shape \[0, 1, 4, 4\]; expected \[n"):
        extract(corners, IMAGES[:0])
