from __future__ import annotations

import numpy as np
import pytest

from dlcc.control.adjustable import bounds_of
from dlcc.control.learning.fitting import fit, policy_of
from dlcc.control.learning.moves import NOTHING
from dlcc.control.learning.policy import Policy, chosen, filled, gains_of
from dlcc.control.learning.situation import RECORD_FIGURES, SITUATION_FIGURES, Situation
from dlcc.errors import OptionError
from tests.control.learning.synthetic import MARGIN, SLOWER_D, policy, runs

FIRST = {"lr_g": 0.004, "lr_d": 0.004, "r1": 0.0, "g_every": 1.0, "d_every": 1.0}


def situation(margin: float, **now: float) -> Situation:
    """At the last decision: before, waiting costs these runs nothing."""
    windows = np.zeros((30, 11))
    windows[:, MARGIN] = margin
    return Situation(0.6, windows, {"loss": "ns", "optimizer": "adam"}, FIRST, {**FIRST, **now})


@pytest.mark.slow
def test_it_finds_the_change_that_mends_and_leaves_alone_what_is_well() -> None:
    bounds = bounds_of(FIRST, None)
    slower = policy().advise(situation(1.0), bounds)
    assert slower.gain > 0.4
    assert 0 < slower.surely <= slower.gain
    assert policy().advise(situation(0.0), bounds).move == NOTHING
    assert policy().advise(situation(1.0, lr_d=0.001), bounds).gain < 0.2  # it is mended already


def test_what_bounds_or_the_user_forbid_is_not_advised() -> None:
    free = bounds_of(FIRST, None)
    best = policy().advise(situation(1.0), free).move
    assert policy().advise(situation(1.0), free, refused=[best]).move != best
    narrow = bounds_of(FIRST, {"lr_g": (0.004, 0.004)})
    assert policy().advise(situation(1.0), narrow).move == NOTHING
    assert SLOWER_D != NOTHING


def test_plain_arrays_predict_what_the_fitted_trees_do(tmp_path) -> None:
    few = runs(200, seed=3)
    fitted = fit(few, RECORD_FIGURES, bags=2)
    place = [SITUATION_FIGURES.index(name) for name in RECORD_FIGURES]
    x, moves = filled(few.situations[:, 2][:, place]), few.possible_changes[:, 2]
    plain = policy_of(fitted, RECORD_FIGURES)
    np.testing.assert_allclose(plain.worths(x, moves), fitted.worths(x, moves), atol=1e-5)
    plain.save(tmp_path / "policy.npz")
    read = Policy.read(tmp_path / "policy.npz")
    np.testing.assert_array_equal(read.worths(x, moves), plain.worths(x, moves))


def test_a_gain_counts_only_where_nearly_all_bags_see_it() -> None:
    worths = np.zeros((10, 1, 3))
    worths[:, 0, 1] = 0.1
    worths[:, 0, 2] = [0.9] * 7 + [-0.1] * 3  # more on average, but unsure
    assert chosen(*gains_of(worths)).tolist() == [1]
    assert chosen(*gains_of(worths), np.array([[True, False, True]])).tolist() == [0]


def test_a_file_that_is_missing_or_none_is_told(tmp_path) -> None:
    with pytest.raises(OptionError, match="no such policy; make one with"):
        Policy.read(tmp_path / "policy.npz")
    (tmp_path / "policy.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(OptionError, match="not a readable policy"):
        Policy.read(tmp_path / "policy.npz")
