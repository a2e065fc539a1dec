"""A divergence that is negative."""

import numpy as np

from dlcc.detect import TrainingRecord, detect
from dlcc.runs.series import Series
from dlcc.typing import Floats


def codes(kl: Floats) -> set[str]:
    series = {"model/loss": np.linspace(100, 50, len(kl)), "model/kl": kl}
    return {f.code for f in detect(TrainingRecord(Series.from_start(series), "vae")).findings}


def test_a_negative_divergence_is_told() -> None:
    assert "VAE003" in codes(np.linspace(0, -40, 50))


def test_an_estimate_around_0_is_not() -> None:
    assert "VAE003" not in codes(0.01 * np.random.default_rng(0).normal(size=50))


def codes_of_parts(loss: Floats, reconstruction: Floats, kl: Floats) -> set[str]:
    series = {"model/loss": loss, "model/reconstruction": reconstruction, "model/kl": kl}
    return {f.code for f in detect(TrainingRecord(Series.from_start(series), "vae")).findings}


def test_a_weight_is_read_off_the_loss() -> None:
    reconstruction, kl = np.linspace(40, 20, 50), np.linspace(2, 90, 50)
    assert "VAE004" in codes_of_parts(reconstruction, reconstruction, kl)
    assert "VAE003" in codes_of_parts(reconstruction - kl, reconstruction, kl)
    for weight in (1.0, 0.5, 0.001):
        found = codes_of_parts(reconstruction + weight * kl, reconstruction, kl)
        assert found.isdisjoint({"VAE003", "VAE004"})


def test_an_error_on_another_scale_is_no_fault() -> None:
    reconstruction, kl = np.linspace(40, 20, 50) ** 2, np.linspace(2, 9, 50)
    assert "VAE003" not in codes_of_parts(reconstruction / 64 + kl, reconstruction, kl)


def test_an_error_that_stands_still_while_the_latents_move() -> None:
    rng = np.random.default_rng(0)
    t = np.linspace(0, 1, 80)
    kl, noise = 1 + 4 * t + 0.1 * rng.normal(size=80), 0.5 * rng.normal(size=80)
    flat, still = 43 + noise, np.abs(3 + 0.3 * rng.normal(size=80))
    assert "VAE006" in codes_of_parts(flat + kl, flat, kl)
    assert "VAE006" not in codes_of_parts(flat + still, flat, still)  # nothing moves, or has to
    for fall in (8 * t, 8 * (1 - np.exp(-60 * t))):
        assert "VAE006" not in codes_of_parts(flat - fall + kl, flat - fall, kl)
