"""Modes reached and good samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcc.metrics import mode_coverage
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.truth import MODE_RADIUS, REACHED_SHARE, mixture_histogram
from tests.metrics.conftest import calibration, normal

ANGLES = np.arange(8) * np.pi / 4
RING = 2 * np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])


def ring(n: int, shares: Any, seed: int, sd: float = 0.05) -> Any:
    rng = np.random.default_rng(seed)
    return RING[rng.choice(8, n, p=shares)] + sd * rng.standard_normal((n, 2))


def test_it_is_the_truth_of_the_recipes() -> None:
    mixture = small_gan.MIXTURES["ring"]
    samples = (normal(512, 2, 0, scale=0.9)).astype(np.float32)
    samples[:200] = np.asarray(mixture.centres)[0]
    found = mode_coverage(samples, mixture.centres, MODE_RADIUS * mixture.sd, reached=REACHED_SHARE)
    histogram = mixture_histogram(mixture, samples)
    assert found.histogram == tuple(histogram)
    assert found.good.value == histogram.sum() / 512
    assert found.coverage.value == np.mean(histogram >= REACHED_SHARE * 512 / 8)


def test_counts_by_hand() -> None:
    samples = np.array([[2.0, 0.0]] * 5 + [[0.0, 2.05]] * 1 + [[0.0, 0.0]] * 4)
    found = mode_coverage(samples, RING, 0.15, reached=0.8)  # 0.8 · 10 / 8 is one sample
    assert found.histogram == (5, 0, 1, 0, 0, 0, 0, 0)
    assert (found.coverage.value, found.good.value) == (0.25, 0.6)
    assert mode_coverage(samples, RING, 0.15, reached=0.9).coverage.value == 0.125


@pytest.mark.parametrize("shares", [[0.125] * 8, [0.3, 0.3, 0.28, 0.03, 0.026, 0.024, 0.02, 0.02]])
def test_errors_are_the_scatter_over_100_seeds(shares: list[float]) -> None:
    found = [mode_coverage(ring(300, shares, s, 0.08), RING, 0.15) for s in range(100)]
    good = calibration(f.good for f in found)
    assert good.mean == pytest.approx(1 - np.exp(-((0.15 / 0.08) ** 2) / 2), abs=4 * good.of_mean)
    assert 0.8 < good.ratio < 1.25
    if shares[0] != 0.125:
        assert 0.7 < calibration(f.coverage for f in found).ratio < 1.3


@pytest.mark.parametrize(
    ("centres", "radius", "reached", "words"),
    [
        (np.zeros((2, 3)), 0.1, 0.2, "samples have 2 features and centres 3"),
        (RING, 0.0, 0.2, "radius is 0.0; expected a length above 0"),
        (RING, 0.1, 1.5, r"reached is 1.5; expected a share in \(0, 1\]"),
        (np.full((2, 2), np.nan), 0.1, 0.2, "2 of the 2 rows of centres are not finite"),
    ],
)
def test_what_cannot_be_used(centres: Any, radius: float, reached: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        mode_coverage(normal(9, 2, 0), centres, radius, reached=reached)
