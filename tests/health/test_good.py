"""P(good) of windows, whatever of a record is there."""

from itertools import product

import numpy as np
import pytest

from dlcc.health.curves import Curves
from dlcc.health.good import WHOLE, pattern_of
from dlcc.health.windows import WINDOW_FEATURES, WINDOWS
from dlcc.past_runs import shipped_library

PARTS = ("grad", "margin", "_sd")


def windows(*lacking: str) -> np.ndarray:
    """Figures of a calm record that lacks parts."""
    table = np.full((WINDOWS, len(WINDOW_FEATURES)), 0.1)
    table[:, -1] = 0.0
    gone = [any(part in name for part in lacking) for name in WINDOW_FEATURES]
    return np.where(gone, np.nan, table)


@pytest.mark.parametrize("there", [*product([True, False], repeat=len(PARTS))])
def test_every_pattern_of_losses_has_a_fit_of_its_own(there):
    lacking = [part for part, kept in zip(PARTS, there, strict=True) if not kept]
    table, model = windows(*lacking), shipped_library().good
    assert (pattern_of(table) == WHOLE) == (not lacking)
    good = model(Curves(table, None))
    assert ((good > 0) & (good < 1)).all()


def test_a_pattern_that_nothing_was_fitted_for_tells_nothing():
    assert np.isnan(shipped_library().good(Curves(windows("generator_loss"), None))).all()


def test_what_a_record_has_beside_a_pattern_is_left_out():
    """One gradient norm alone: no fit knows it, and it is judged by the rest."""
    table, model = windows("grad", "margin"), shipped_library().good
    more = table.copy()
    more[:, WINDOW_FEATURES.index("generator_grad")] = 0.3
    assert np.array_equal(model(Curves(more, None)), model(Curves(table, None)))
