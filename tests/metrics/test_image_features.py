"""Features of images: what the untrained network sees, and what it does not care about."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from dlcc.metrics.image_features import UntrainedConvolutions, is_images


def stripes(n=40, side=28, seed=0):
    """Images [n, side, side] of smooth stripes at any phase and slope."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    slopes = rng.uniform(-2, 2, (n, 2, 1, 1))
    return np.sin(2 * np.pi * (slopes[:, 0] * x + slopes[:, 1] * y + rng.random((n, 1, 1))))


def distance(a, b):
    return float(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)))


def test_by_the_long_way():
    """The same figures from convolutions written out with the functional interface."""
    images = stripes(60)
    features = UntrainedConvolutions.of(images)
    generator = torch.Generator().manual_seed(0)
    x = torch.from_numpy((images - images.min()) / np.ptp(images) * 2 - 1).float()[:, None]
    for k, (inputs, outputs, size) in enumerate(((1, 64, 5), (64, 128, 5), (128, 256, 3))):
        weight = torch.empty(outputs, inputs, size, size)
        torch.nn.init.orthogonal_(weight, generator=generator)
        x = functional.conv2d(x, weight, stride=2, padding=size // 2)
        if k == 0:
            contrast = np.log(x.flatten(2).double().numpy().std(axis=2) + 0.02)
        x = functional.leaky_relu(x, 0.2) if k < 2 else x
    maps = x.flatten(2).double().numpy()
    moments = np.concatenate([maps.mean(axis=2), maps.std(axis=2)], axis=1)
    profile = contrast - contrast.mean(axis=1, keepdims=True)
    expected = [part / np.sqrt(part.var(axis=0).sum()) for part in (moments, profile)]
    assert features(images) == pytest.approx(np.hstack(expected), abs=1e-4)


def test_the_profile_of_contrast_does_not_care_how_much_there_is():
    images = stripes()
    features = UntrainedConvolutions.of(images)
    strong, weak = (features(part)[:, 512:] for part in (images, images / 2))
    assert np.abs(strong - weak).mean() < 0.1 * strong.std()


def test_images_that_hardly_differ_are_not_blown_up():
    same = np.repeat(stripes(1), 30, axis=0) + 1e-6 * np.random.default_rng(0).random((30, 28, 28))
    assert UntrainedConvolutions.of(same)(same).std(axis=0).max() < 1e-3


@pytest.mark.parametrize("scale", [1.0, 127.5])
def test_the_range_of_the_pixels_does_not_matter(scale):
    images = stripes()
    features = UntrainedConvolutions.of(images)
    scaled = UntrainedConvolutions.of(scale * images + scale)
    assert scaled(scale * images + scale) == pytest.approx(features(images), abs=1e-4)


def test_noise_and_mixed_rows_lie_farther_than_more_of_the_same():
    features = UntrainedConvolutions.of(stripes(200))
    real = features(stripes(200))
    rng = np.random.default_rng(1)
    same = distance(features(stripes(200, seed=2)), real)
    noisy = distance(features(stripes(200, seed=2) + 0.5 * rng.normal(size=(200, 28, 28))), real)
    mixed = stripes(200, seed=2)
    mixed[:, ::2] = stripes(200, seed=3)[:, ::2]
    assert min(noisy, distance(features(mixed), real)) > 3 * same


def test_channels_may_stand_last():
    images = np.random.default_rng(0).random((3, 20, 30, 3))
    first = np.moveaxis(images, -1, 1)
    found = UntrainedConvolutions.of(images)(images)
    assert found == pytest.approx(UntrainedConvolutions.of(first)(first))


@pytest.mark.parametrize("shape", [(8, 8), (3, 20, 9), (1, 150, 200), (4, 16, 16)])
def test_images_of_any_size_and_colour(shape):
    images = np.random.default_rng(0).random((2, *shape))
    assert is_images(shape)
    found = UntrainedConvolutions.of(images)(images)
    assert found.shape == (2, 576)
    assert np.isfinite(found).all()


def test_what_is_no_image():
    assert not any(map(is_images, [(64,), (2, 3), (5, 28, 28), (3, 4, 100), (1, 1, 28, 28)]))
