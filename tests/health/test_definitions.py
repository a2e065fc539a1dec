"""Definitions of the labels, held against numpy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dlcc.health.definitions import (
    OSCILLATING_SWING,
    deviation_from_trend,
    is_untrained,
    label_of,
    label_probabilities,
    smooth,
    swing,
    swing_around_bend,
)

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


@given(arrays(np.float64, st.integers(6, 60), elements=st.floats(0, 1)))
def test_a_trend_that_may_bend_leaves_no_more_than_a_line(values):
    assert swing_around_bend(values, values) <= swing(values, values) + 1e-12


@pytest.mark.parametrize("period", [3, 4, 6, 8])
def test_what_goes_up_and_down_oscillates_around_any_trend(period):
    wave = 0.5 + 0.4 * np.sin(2 * np.pi * np.arange(40) / period)
    assert swing_around_bend(wave, wave) == pytest.approx(swing(wave, wave), rel=0.15)


def test_a_late_rise_that_lasts_is_no_oscillation():
    late = np.r_[np.full(32, 0.2), np.full(8, 0.9)]
    assert swing(late, late) > OSCILLATING_SWING
    assert swing_around_bend(late, late) < 0.01


def test_untrained_is_what_never_was_good_and_still_gets_better():
    rng = np.random.default_rng(0)
    bad, rising = np.full(40, 0.1), np.linspace(0, 1, 40) + 0.05 * rng.normal(size=40)
    assert is_untrained(bad, rising)
    assert not is_untrained(np.where(np.arange(40) == 20, 0.9, bad), rising)  # it was good once
    assert not is_untrained(bad, rising[::-1])
    assert not is_untrained(bad, np.full(40, 0.1) + 1e-12 * rng.normal(size=40))
    assert not is_untrained(bad[:6], rising[:6])  # too few to tell


def test_noise_is_seldom_taken_for_getting_better():
    rng = np.random.default_rng(1)
    taken = [is_untrained(np.zeros(40), rng.normal(size=40)) for _ in range(400)]
    assert np.mean(taken) < 0.02
