from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dlcc.control.adjustable import Bounds
from dlcc.control.learning.moves import MOVES, NOTHING, change_figures, changes_of_moves, moved

RATES = st.floats(1e-5, 1.0)
SETTINGS = st.fixed_dictionaries(
    {"lr_g": RATES, "lr_d": RATES},
    optional={"r1": st.floats(0, 10), "g_every": st.integers(1, 5), "d_every": st.integers(1, 5)},
)
BOUNDS = {"lr_g": Bounds(1e-5, 1.0), "lr_d": Bounds(1e-5, 1.0), "r1": Bounds(0.0, 10.0)}


@given(SETTINGS, st.sampled_from(MOVES), st.sampled_from(["adam", "rmsprop", "sgd"]))
def test_a_move_stays_within_bounds_and_changes_what_may_change(settings, move, optimizer):
    changes = moved(settings, move, BOUNDS, optimizer)
    assert changes.keys() <= settings.keys() & BOUNDS.keys()
    for field, value in changes.items():
        assert BOUNDS[field].low <= value <= BOUNDS[field].high
        assert value != settings[field]


@given(SETTINGS)
def test_figures_of_a_change_are_none_where_nothing_changes_and_turn_with_it(settings):
    assert not change_figures(settings, settings).any()
    other = {**settings, "lr_d": settings["lr_d"] / 4}
    there, back = change_figures(settings, other), change_figures(other, settings)
    assert (there == -back).all()
    assert abs(there[1] + 2) < 1e-9


def test_the_first_move_is_nothing_and_bounds_leave_nothing_of_the_others():
    settings = {"lr_g": 0.01, "lr_d": 0.01, "r1": 0.0}
    assert moved(settings, MOVES[NOTHING], BOUNDS) == {}
    assert not changes_of_moves(settings, {"lr_g": Bounds(0.01, 0.01)}).any()
    assert (changes_of_moves(settings, BOUNDS)[1:-3] != 0).any(axis=1).sum() == 5  # R1 is 0 already
