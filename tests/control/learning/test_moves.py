from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dlcc.control.adjustable import Bounds
from dlcc.control.learning.moves import (
    MOVES,
    NOTHING,
    change_figures,
    changes_of_moves,
    make_move,
    moved,
)

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
    fixed = changes_of_moves(settings, {"lr_g": Bounds(0.01, 0.01)})
    assert fixed.any(axis=1).tolist() == [move.anew for move in MOVES]
    free = changes_of_moves(settings, BOUNDS).any(axis=1)
    still = {move.name for move, moves in zip(MOVES, free, strict=True) if not moves}
    assert still == {"nothing", "less R1"}  # which is 0 already


class Restarted:
    """Adjustable settings that count how often training began anew."""

    def __init__(self) -> None:
        self.values = {"lr_g": 0.01, "lr_d": 0.01}
        self.times = 0

    def settings(self):
        return dict(self.values)

    def adjust(self, **changes):
        self.values |= changes

    def begin_anew(self):
        self.times += 1


def test_making_a_move_begins_anew_only_where_it_says_so_and_keeps_to_bounds():
    for move in MOVES:
        steered = Restarted()
        make_move(steered, move, {"lr_d": Bounds(0.005, 0.01)})
        assert steered.times == move.anew
        assert steered.values["lr_g"] == 0.01
        assert 0.005 <= steered.values["lr_d"] <= 0.01
