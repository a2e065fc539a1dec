"""When P(healthy) is a verdict in words, and when it is too near one half."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.scoring.calibration import Probability
from dlcc.scoring.decision import is_decided


def probability(p: float, by: str = "the record") -> Probability:
    return Probability(np.full(10, p), np.full(10, 0.9), by)


@given(st.floats(0, 1), st.booleans(), st.booleans())
def test_healthy_and_not_are_decided_alike_and_the_surer_the_sooner(p, by_samples, known):
    asked = {"by_samples": by_samples, "known_data": known}
    assert is_decided(probability(p), **asked) == is_decided(probability(1 - p), **asked)
    if is_decided(probability(p), **asked):
        farther = 0.5 + 1.01 * (p - 0.5)
        assert is_decided(probability(farther), **asked)


@pytest.mark.parametrize("p", [0.4, 0.5, 0.6])
def test_near_one_half_nothing_is_decided(p):
    for by in ("the record", "the forecast"):
        assert not is_decided(probability(p, by), by_samples=True, known_data=True)


def test_samples_ask_for_less_than_series_and_known_data_for_less_than_others():
    given = probability(0.8, "the forecast")
    assert is_decided(given, by_samples=True, known_data=False)
    assert is_decided(given, by_samples=False, known_data=True)
    assert not is_decided(given, by_samples=False, known_data=False)
    assert not is_decided(probability(0.8), by_samples=False, known_data=True)


def test_in_a_space_of_features_more_is_asked_of_samples():
    given = probability(0.85)
    assert is_decided(given, by_samples=True, known_data=True)
    assert not is_decided(given, by_samples=True, known_data=True, in_features=True)
    assert is_decided(probability(0.95), by_samples=True, known_data=False, in_features=True)
