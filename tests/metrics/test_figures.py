"""A figure and its interval."""

from __future__ import annotations

import pytest
from scipy.stats import norm

from dlcc.metrics import Measured, over_floor


def test_the_interval_is_normal() -> None:
    low, high = Measured(2.0, 0.5, "", (9,)).interval(0.95)
    assert low == pytest.approx(2 + 0.5 * norm.ppf(0.025))
    assert high == pytest.approx(2 + 0.5 * norm.ppf(0.975))
    with pytest.raises(ValueError, match=r"level is 90; expected a probability"):
        Measured(2.0, 0.5, "", (9,)).interval(90)


def test_it_shows_its_error() -> None:
    assert str(Measured(0.123456, 0.0123, "", (9,))) == "0.1235 ± 0.012"


def test_over_the_floor() -> None:
    found = over_floor(Measured(3.0, 0.3, "a", (5, 6)), Measured(2.0, 0.1, "b", (5, 6)))
    assert found.value == 1.5
    assert found.error == pytest.approx(1.5 * (0.1**2 + 0.05**2) ** 0.5)
    assert found.rows == (5, 6)
    with pytest.raises(ValueError, match="the floor is 0; expected a number above 0"):
        over_floor(Measured(3.0, 0.3, "", (5,)), Measured(0.0, 0.1, "", (5,)))
