"""A discriminator whose loss grows from the first step on."""

import numpy as np

from dlcc.detect import TrainingRecord, detect
from dlcc.runs.series import Series
from dlcc.typing import Floats


def codes(d: Floats) -> set[str]:
    losses = {"discriminator/loss": d, "generator/loss": np.zeros(len(d))}
    return {f.code for f in detect(TrainingRecord(Series.from_start(losses), "gan")).findings}


def test_steady_growth_diverges() -> None:
    assert "DIV001" in codes(-(1.0 + 2.0 * np.arange(200.0)))


def test_a_distance_that_shrinks_does_not() -> None:
    t = np.arange(200.0)
    assert "DIV001" not in codes(-60 * (1 - np.exp(-t)) * np.exp(-t / 100))


def test_a_level_that_is_reached_and_kept_does_not() -> None:
    assert "DIV001" not in codes(-30 * (1 - np.exp(-np.arange(200.0) / 20)))


def test_a_loss_of_a_million_times_its_first_size_diverges() -> None:
    loss = -np.r_[30.0, 3e3, 6e10, np.full(60, 7e22)]
    found = detect(TrainingRecord(Series.from_start({"model/loss": loss}))).findings
    assert "DIV001" in {f.code for f in found}


def test_a_likelihood_that_falls_below_0_does_not() -> None:
    loss = 500 - 3000 * (1 - np.exp(-np.arange(200.0) / 30))
    found = detect(TrainingRecord(Series.from_start({"model/loss": loss}))).findings
    assert "DIV001" not in {f.code for f in found}
