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
