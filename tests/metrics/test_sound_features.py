"""Features of sounds: pitch, loudness and what changes in time."""

import numpy as np
import pytest

from dlcc.metrics.sound_features import LogSpectra

TIME = np.arange(4_000) / 8_000


def tones(frequency, n=4, seed=0):
    phase = np.random.default_rng(seed).random((n, 1))
    return np.sin(2 * np.pi * (frequency * TIME + phase))


@pytest.mark.parametrize("frequency", [100, 400, 1_600, 3_000])
def test_a_tone_is_loudest_in_its_own_band(frequency):
    found = LogSpectra.of(tones(frequency))(tones(frequency))
    bands = found.shape[1] // 2
    edges = np.unique(np.geomspace(1, 129, 33).round().astype(int))
    centre = frequency / 8_000 * 256
    loudest = found[0, :bands].argmax()
    assert edges[loudest] - 1 <= centre <= edges[loudest + 1] + 1


def test_phase_and_loudness_of_all_do_not_matter():
    features = LogSpectra.of(tones(400))
    assert features(tones(400, seed=1)) == pytest.approx(features(tones(400)), abs=0.3)
    louder = LogSpectra.of(10 * tones(400))
    assert louder(10 * tones(400)) == pytest.approx(features(tones(400)))


def test_what_comes_and_goes_varies_in_time():
    features = LogSpectra.of(tones(400))
    steady, pulsed = features(tones(400)), features(tones(400) * (np.sin(60 * TIME) > 0))
    half = steady.shape[1] // 2
    assert pulsed[:, half:].max() > 5 * steady[:, half:].max()


def test_channels_stand_side_by_side():
    stereo = np.stack([tones(200), tones(2_000)], axis=1)
    found = LogSpectra.of(stereo)(stereo)
    assert found.shape == (4, 2 * LogSpectra.of(tones(200))(tones(200)).shape[1])
