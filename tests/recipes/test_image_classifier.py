"""Classifiers of images, by which trainings on known data are judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dlcc.metrics import frechet_distance
from dlcc.recipes import image_classifier, truth


@pytest.mark.parametrize("data", image_classifier.DATA)
def test_figures_are_those_of_the_network_and_of_the_distance(data: str) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (200, 1, 28, 28)).astype(np.float32)
    seen = image_classifier.see(data, images)
    classifier, real = image_classifier.load(data)
    with torch.no_grad():
        logits = classifier(torch.from_numpy(images))
        features = classifier.body(torch.from_numpy(images)).double().numpy()
    p = torch.softmax(logits, dim=1).numpy()
    sure = p.max(axis=1) > image_classifier.SURE
    assert seen.histogram.tolist() == np.bincount(p.argmax(axis=1)[sure], minlength=10).tolist()
    expected = frechet_distance(features, real) / np.trace(real.covariance)
    assert seen.distance == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("data", image_classifier.DATA)
def test_moments_are_a_covariance(data: str) -> None:
    _, real = image_classifier.load(data)
    assert np.isfinite(real.covariance).all()
    assert np.linalg.eigvalsh(real.covariance).min() > -1e-2 * np.trace(real.covariance)


@pytest.mark.parametrize("data", image_classifier.DATA)
def test_noise_one_image_and_what_is_not_finite_are_not_good(data: str) -> None:
    rng = np.random.default_rng(1)
    noise = rng.uniform(-1, 1, (256, 784))
    one = np.tile(rng.uniform(-1, 1, 784), (256, 1))
    lost = np.full((256, 784), np.nan)
    for samples in (noise, one, lost):
        judged = truth.judge_samples(data, 1, samples)
        steps = [replace(judged, step=step) for step in range(1, 41)]
        assert not truth.good_steps(data, steps).any()
    assert judged.histogram == (0,) * 10
