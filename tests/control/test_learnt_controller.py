from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcc.control.learnt_controller import LearntController
from dlcc.control.rules import LEARNT, UNDONE
from dlcc.errors import OptionError
from dlcc.recipes.small_gan import training as small_gan
from dlcc.runs.series import Column
from tests.control.learning.synthetic import policy
from tests.control.test_rule_controller import NumericSettings, row

LENGTH = 500
FIRST = {"lr_g": 0.004, "lr_d": 0.004, "r1": 0.0}
CONFIG = {"loss": "ns", "optimizer": "adam"}


def controller(steered: NumericSettings | None = None, **options: Any) -> LearntController:
    return LearntController(
        steered or NumericSettings(**FIRST), policy(), length=LENGTH, config=CONFIG, **options
    )


def wrong(step: int) -> dict[str, float]:
    """Row of a training whose discriminator is far ahead, as the synthetic runs have it."""
    return {**row(0.0, 1.0, 1.1752), "generator/loss": 0.0}


def watched(steered: NumericSettings, steps: int, **options: Any) -> tuple[Any, list[Any]]:
    made = controller(steered, **options)
    said = [found for step in range(steps) if (found := made.watch(step, wrong(step)))]
    return made, said


def test_it_acts_where_a_decision_is_due_within_bounds_and_says_so() -> None:
    steered = NumericSettings(**FIRST)
    made, said = watched(steered, LENGTH, bounds={"lr_d": (1e-4, 1e-2)})
    assert [action.rule for action in made.actions] == [LEARNT] * len(made.actions)
    assert {action.step for action in made.actions} <= {19, 59, 119, 199, 299}  # of DECISIONS
    assert steered.values["lr_d"] < 0.002
    assert steered.values["lr_g"] == 0.004
    assert [r["control/rule"] for r in said] == [0.0] + [12.0] * len(made.actions)
    assert said[1]["control/measure"] > 0
    assert "learnt from controlled runs: lr_d 0.004 ->" in made.actions[0].words


def test_a_training_that_is_well_is_left_alone() -> None:
    made = controller()
    for step in range(LENGTH):
        made.watch(step, row(0.0, 1.0, 0.0))
    assert not made.actions


def test_a_dry_run_changes_nothing_and_undoing_is_exact_and_lasting() -> None:
    steered = NumericSettings(**FIRST)
    _, said = watched(steered, 310, dry_run=True)
    assert steered.values == FIRST
    assert said[-1]["control/would_lr_d"] < 0.004
    made, _ = watched(steered, 310)
    before = made.actions[-1].before
    assert made.undo().rule == LEARNT
    assert steered.values == before
    said = [found for step in range(310, LENGTH) if (found := made.watch(step, wrong(step)))]
    assert [r["control/rule"] for r in said] == [float(UNDONE)]


def test_a_state_and_a_record_go_on_as_if_it_had_watched() -> None:
    whole = NumericSettings(**FIRST)
    made, said = watched(whole, LENGTH)
    half, _ = watched(NumericSettings(**FIRST), 210)
    other = controller(NumericSettings(**FIRST))
    other.load_state_dict(half.state_dict())
    steps: dict[str, list[float]] = {name: [] for name in (*wrong(0), *said[0])}
    again = controller(NumericSettings(**FIRST))
    first = controller(NumericSettings(**FIRST))
    for step in range(210):
        for name, value in {**wrong(step), **(first.watch(step, wrong(step)) or {})}.items():
            steps[name].append((step, value))
    columns = {
        name: Column(
            np.array([step for step, _ in pairs]), np.array([v for _, v in pairs]), np.zeros(0)
        )
        for name, pairs in steps.items()
        if pairs
    }
    again.catch_up(columns, 210)
    again.adjustable.adjust(**first.adjustable.settings())
    for taken_up in (other, again):
        for step in range(210, LENGTH):
            taken_up.watch(step, wrong(step))
        assert taken_up.actions == made.actions
        assert taken_up.adjustable.settings() == whole.values


def test_what_is_rewound_is_decided_again() -> None:
    steered = NumericSettings(**FIRST)
    made, _ = watched(steered, 310)
    before = list(made.actions)
    steered.adjust(**FIRST)
    for step in range(10, 310):
        made.watch(step, wrong(step))
    assert made.actions == before


def test_a_training_that_is_too_short_is_refused() -> None:
    assert small_gan.Config().steps >= 250
    with pytest.raises(OptionError, match="too short for what was learnt; it takes 250 steps"):
        LearntController(NumericSettings(**FIRST), policy(), length=200)
