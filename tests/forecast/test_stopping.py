"""Advice to stop, by expected savings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.errors import OptionError
from dlcc.estimate import Estimate
from dlcc.forecast.stopping import stopping


@given(a=st.floats(0.5, 50), b=st.floats(0.5, 50), seen=st.floats(0, 0.99), cost=st.floats(0.1, 20))
def test_the_saving_is_that_of_many_runs(a, b, seen, cost):
    p = Estimate.beta(a, b)
    found = stopping(p, seen, cost)
    low, high = found.interval
    # Of many such runs stopped here each saves its rest, and p of them cost a healthy run.
    assert found.saving == pytest.approx((1 - seen) * (1 - p.mean) + p.mean * (1 - seen - cost))
    assert low <= high
    assert found.action == ("stop" if low > 0 else "go on" if high < 0 else "look")


@given(p=st.floats(0.01, 0.99), seen=st.floats(0, 0.9))
def test_a_healthy_run_that_is_worth_more_is_not_stopped_sooner(p, seen):
    estimate = Estimate.beta(50 * p, 50 * (1 - p))
    savings = [stopping(estimate, seen, cost).saving for cost in (0.5, 1, 2, 4)]
    assert np.all(np.diff(savings) < 0)


def test_a_run_that_is_done_has_nothing_to_save():
    assert stopping(Estimate.beta(1, 99), 1.0).action == "go on"
    assert stopping(Estimate.beta(1, 99), 1.0).saving <= 0


@pytest.mark.parametrize("cost", [0.0, -1.0, float("nan")])
def test_a_cost_that_is_none_is_refused(cost):
    with pytest.raises(OptionError, match="cost"):
        stopping(Estimate.beta(1, 1), 0.5, cost)
