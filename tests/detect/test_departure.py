"""Where a fault began that is seen only later."""

import numpy as np

from dlcc.detect import TrainingRecord, detect
from dlcc.detect.departure import departure
from dlcc.runs.series import Series


def test_a_break_is_found_in_noise() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(300)
    values = 1.0 - 0.01 * np.maximum(0, t - 150) + 0.02 * rng.normal(size=300)
    assert abs(departure(values, 220) - 150) <= 5


def test_without_a_break_the_crossing_stays() -> None:
    assert departure(np.random.default_rng(0).normal(size=300), 220) == 220
    assert departure(np.linspace(1, 0, 300), 220) == 220


def test_a_discriminator_wins_from_the_step_at_which_the_generator_stopped() -> None:
    t = np.arange(1000)
    noise = 0.001 * np.random.default_rng(0).random(1000)
    d = noise + np.where(t < 400, 1.2, np.maximum(0.002, 1.2 - 0.01 * (t - 400)))
    g = noise + np.where(t < 400, 0.9, np.minimum(8.0, 0.9 + 0.05 * (t - 400)))
    losses = {"discriminator/loss": d, "generator/loss": g}
    found = detect(TrainingRecord(Series.from_start(losses), "gan", "ns")).findings[0]
    assert found.code == "ADV001"
    assert found.first_step is not None
    assert abs(found.first_step - 400) < 20
