"""The onset from P(good), against the definition and against simulated sample steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.recipes import truth
from dlcc.stages.health.onset import find_onset

STEPS = np.arange(1, 41) * 50


@given(st.lists(st.booleans(), min_size=4, max_size=60))
def test_where_all_is_certain_it_is_the_definition(good):
    steps = np.arange(len(good)) * 10
    found = find_onset(steps, np.array(good, dtype=float))
    assert (found and found.step) == truth.onset(steps.tolist(), np.array(good))


def test_the_interval_holds_nine_tenths_of_what_may_have_been():
    p = np.r_[np.full(15, 0.97), np.linspace(0.9, 0.02, 20), np.full(5, 0.001)]
    drawn = np.random.default_rng(0).random((20_000, 40)) < p
    onsets = np.array([o for good in drawn if (o := truth.onset(STEPS.tolist(), good))])
    found = find_onset(STEPS, p)
    assert found.step == pytest.approx(np.median(onsets), abs=50)
    inside = np.mean((found.low <= onsets) & (onsets <= found.high))
    assert 0.9 <= inside < 0.97


def test_a_good_moment_that_may_be_none_widens_the_interval():
    p = np.r_[np.ones(15), np.zeros(25)]
    assert (find_onset(STEPS, p).low, find_onset(STEPS, p).high) == (STEPS[15], STEPS[15])
    p[29] = 0.3
    doubtful = find_onset(STEPS, p)
    assert (doubtful.low, doubtful.step, doubtful.high) == (STEPS[15], STEPS[15], STEPS[30])


@pytest.mark.parametrize("good", [np.zeros(40), np.ones(40), np.full(40, 0.005)])
def test_no_onset_without_a_good_time_before_a_bad_one(good):
    assert find_onset(STEPS, good) is None


@given(st.lists(st.floats(0, 1), min_size=4, max_size=60))
def test_it_lies_within_its_interval_and_the_record(good):
    steps = np.arange(1, len(good) + 1) * 7
    found = find_onset(steps, np.array(good))
    if found is not None:
        assert steps[1] <= found.low <= found.step <= found.high <= steps[-1]
