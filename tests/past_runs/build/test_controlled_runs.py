from __future__ import annotations

import json

import numpy as np
import pytest

from dlcc.control.adjustable import Restartable, bounds_of, usual_bounds
from dlcc.control.learning.controlled_runs import FIELDS, ControlledRuns
from dlcc.control.learning.moves import MOVES, NOTHING, moved
from dlcc.control.learning.situation import DECISIONS, WINDOWS
from dlcc.past_runs.build.controlled_runs import (
    P_NOTHING,
    P_POLICY,
    controlled,
    draw_image_setting,
    image_group,
    small_group,
)
from dlcc.past_runs.build.ensembled import Ensembled
from dlcc.past_runs.build.simulation import simulate

TINY = {"steps": 250, "width": 8, "depth": 1, "batch": 8, "zdim": 4, "data": "ring", "lr_g": 1e-3}
CONFIGS = [
    {**TINY, "seed": seed, "lr_d": rate, "optimizer": "adam", "loss": "ns"}
    for seed, rate in enumerate((1e-3, 1e-2, 0.1, 1e-3, 5e-3, 2e-3))
]


@pytest.fixture(scope="module")
def runs() -> ControlledRuns:
    return controlled(Ensembled.small(CONFIGS), np.random.default_rng(4))


def test_every_decision_is_kept_with_what_it_changed(runs: ControlledRuns) -> None:
    assert runs.moves.shape == (len(CONFIGS), len(DECISIONS))
    assert runs.windows.shape == (len(CONFIGS), WINDOWS, 11)
    assert (runs.moves != NOTHING).any()
    for i, text in enumerate(runs.configs):
        now = dict(zip(FIELDS, runs.settings[i, 0].tolist(), strict=True))
        assert now["lr_d"] == json.loads(text)["lr_d"]
        bounds = bounds_of(now, usual_bounds(now))
        for k, move in enumerate(runs.moves[i]):
            now |= moved(now, MOVES[move], bounds)
            assert list(now.values()) == pytest.approx(runs.settings[i, k + 1].tolist())


def test_probabilities_are_those_by_which_moves_are_drawn(runs: ControlledRuns) -> None:
    nothing = runs.moves == NOTHING
    assert (runs.probabilities[nothing] == P_NOTHING).all()
    others = (1 - P_NOTHING) / sum(not move.anew for move in MOVES[1:])
    np.testing.assert_allclose(runs.probabilities[~nothing], others)
    followed = controlled(
        Ensembled.small(CONFIGS[:3]), np.random.default_rng(1), lambda seen, bounds: 1
    )
    np.testing.assert_allclose(
        followed.probabilities[followed.moves == 1], P_POLICY + (1 - P_POLICY) * others
    )


def test_beginning_anew_is_drawn_by_its_own_probability_and_goes_on_from_the_first_weights() -> (
    None
):
    rng = np.random.default_rng(2)
    runs = controlled(Ensembled.small(CONFIGS), rng, anew=0.45)
    anew = np.array([move.anew for move in MOVES])
    began = anew[runs.moves]
    assert began.any()
    np.testing.assert_allclose(runs.probabilities[began], 0.45 / anew.sum())
    np.testing.assert_array_equal(runs.changes[:, :, -1], began)


@pytest.mark.parametrize("together", [Ensembled.small(CONFIGS[:2]), image_group(3, 0, 2)])
def test_a_member_that_begins_anew_has_its_first_weights_and_its_present_settings(
    together: Ensembled,
) -> None:
    member, first = together.members[1], together.samples(0)
    assert isinstance(member, Restartable)
    for step in range(2):
        together.step_values(step)
    member.adjust(lr_d=3e-4)
    member.begin_anew()
    np.testing.assert_array_equal(together.samples(0)[1], first[1])
    assert (together.samples(0)[0] != first[0]).any()
    assert member.settings()["lr_d"] == 3e-4


def test_files_hold_all_of_them_and_groups_join(runs: ControlledRuns, tmp_path) -> None:
    runs.save(tmp_path / "runs.npz")
    read = ControlledRuns.read(tmp_path / "runs.npz")
    both = ControlledRuns.joined([runs, read])
    assert len(both) == 2 * len(runs)
    np.testing.assert_array_equal(both.situations[: len(runs)], both.situations[len(runs) :])
    np.testing.assert_array_equal(both.changes[:, :, :], np.tile(runs.changes, (2, 1, 1)))


def test_a_training_that_nobody_changes_ends_as_the_library_judges_it() -> None:
    ends = Ensembled.small(CONFIGS).train(5, lambda step, values: None)
    assert [end.label for end in ends] == [run.label for run in simulate(CONFIGS)]


def test_windows_are_shown_with_their_last_steps() -> None:
    seen = []
    Ensembled.small(CONFIGS[:2]).train(50, lambda step, v: seen.append((step, v.shape)))
    assert seen == [(step, (7, 2, 50)) for step in (49, 99, 149, 199, 249)]


def test_drawn_settings_can_be_trained() -> None:
    assert len(small_group(3, 0, 2).members) == 2
    first, again = (draw_image_setting(3, 5) for _ in range(2))
    assert first == again
    assert set(image_group(3, 0, 1).members[0].settings()) == {"lr_g", "lr_d", "r1"}
