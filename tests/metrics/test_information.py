"""Bits of a latent with noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcc.metrics import (
    Measured,
    information_rate,
    measured_information_rate,
    noise_variance,
)
from tests.metrics.conftest import calibration, normal


def test_the_closed_form() -> None:
    assert information_rate(15) == pytest.approx(0.5 * np.log2(1 + 10**1.5))
    assert information_rate(15) == pytest.approx(2.51, abs=0.005)
    assert information_rate(-300) == pytest.approx(0)
    assert noise_variance(15) == pytest.approx(10**-1.5)
    assert noise_variance(0, 3.0) == pytest.approx(3)


@pytest.mark.parametrize("snr", [5.0, 15.0])
def test_measured_from_latents_over_100_seeds(snr: float) -> None:
    found = [
        measured_information_rate(normal(200, 6, s), noise_variance(snr)).mean for s in range(100)
    ]
    seen = calibration(found)
    assert abs(seen.mean - information_rate(snr)) < max(4 * seen.of_mean, 0.01)
    assert 0.8 < seen.ratio < 1.25


def test_neurons_that_say_the_same_carry_less_together() -> None:
    one = normal(4000, 1, 0)
    found = measured_information_rate(np.repeat(one, 3, axis=1), 0.1)
    alone = measured_information_rate(one, 0.1)
    assert found.mean.value == pytest.approx(alone.mean.value)
    assert found.mean.error == pytest.approx(alone.mean.error)
    assert found.joint == pytest.approx(0.5 * np.log2(1 + 3 * one.var(ddof=1) / 0.1) / 3)
    assert alone.joint == pytest.approx(alone.mean.value)


def test_each_neuron_has_its_noise() -> None:
    z = normal(5000, 2, 0) * [1.0, 2.0] + 9
    found = measured_information_rate(z, [0.1, 0.4])
    assert found.each == pytest.approx([0.5 * np.log2(11)] * 2, rel=0.02)
    assert found.snr_db == pytest.approx(10, abs=0.2)
    dead = measured_information_rate(np.zeros((9, 2)), 0.1)
    assert (dead.mean.value, dead.mean.error, dead.joint) == (0, 0, 0)


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        (0.0, r"noise is 0\..*; expected variances above 0, one number or \[2\]"),
        ([0.1, 0.1, 0.1], r"noise is \[0.1 0.1 0.1\]"),
        (np.nan, "noise is nan"),
    ],
)
def test_noise_that_cannot_be_used(noise: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        measured_information_rate(normal(9, 2, 0), noise)


def test_ratios_that_cannot_be_used() -> None:
    with pytest.raises(ValueError, match="snr_db is inf; expected decibels"):
        information_rate(float("inf"))
    with pytest.raises(ValueError, match="signal_variance is 0; expected a number above 0"):
        noise_variance(10, 0)
    assert isinstance(measured_information_rate(normal(9, 2, 0), 1.0).mean, Measured)
