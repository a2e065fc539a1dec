"""Definitions of the labels, held against numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcc.health.definitions import deviation_from_trend, label_of, label_probabilities, smooth

SHARES = arrays(np.float64, st.integers(3, 60), elements=st.floats(0, 1))


@given(SHARES)
def test_smoothing_is_that_of_numpy(values):
    assert smooth(values) == pytest.approx(
        np.convolve(values, np.ones(3), "same")
        / np.convolve(np.ones(len(values)), np.ones(3), "same")
    )


def test_smoothing_of_a_single_value():
    assert smooth(np.array([3.0])) == pytest.approx([3.0])


@given(SHARES)
def test_the_deviation_is_that_of_numpy(values):
    assert deviation_from_trend(values) == pytest.approx(
        np.std(values - np.polyval(np.polyfit(range(len(values)), values, 1), range(len(values)))),
        abs=1e-9,
    )


@given(st.floats(-5, 5), st.floats(-5, 5))
def test_a_line_does_not_deviate_from_its_trend(slope, level):
    assert deviation_from_trend(slope * np.arange(20) + level) == pytest.approx(0, abs=1e-9)


def test_gaps_are_passed_over():
    values = np.arange(20.0)
    values[::3] = np.nan
    assert deviation_from_trend(values) == pytest.approx(0, abs=1e-9)
    assert deviation_from_trend(np.full(20, np.nan)) == 0


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=20))
def test_smoothing_is_the_mean_of_the_neighbours_there_are(values):
    wanted = [np.mean(values[max(0, k - 1) : k + 2]) for k in range(len(values))]
    assert smooth(np.array(values)) == pytest.approx(wanted, abs=1e-12)


def test_deviation_from_trend_takes_the_line_away():
    line = np.linspace(3, -2, 20)
    wave = np.tile([1.0, -1.0], 10)
    assert deviation_from_trend(line) == pytest.approx(0, abs=1e-9)
    assert deviation_from_trend(line + wave) == pytest.approx(1, rel=0.02)


@given(st.booleans(), st.floats(0, 0.5), st.floats(0, 1), st.floats(0, 1))
def test_far_from_every_mark_the_likeliest_label_is_the_label(diverged, swing, coverage, share):
    near = (abs(swing - 0.13) < 0.05, abs(coverage - 0.5) < 0.15, abs(share - 0.775) < 0.15)
    figures = {"swing": swing, "coverage": coverage, "good_share": share}
    found = label_probabilities(diverged=float(diverged), **figures, shrunk=False)
    assert sum(found.values()) == pytest.approx(1)
    if not any(near):
        assert max(found, key=found.get) == label_of(diverged=diverged, **figures)
