from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.control.adjustable import OptimizerRates, bounds_of, parse_bounds
from dlcc.control.rule_controller import RuleController
from dlcc.control.rules import QUANTITIES, RULES, STEERED, UNDONE, window_of
from dlcc.control.steering import Target
from dlcc.errors import OptionError
from dlcc.health.windows import WINDOWS, window_features
from dlcc.records import Column, Series
from dlcc.runs import Recorder, Run

EVERY = 10


class NumericSettings:
    """Adjustable settings that steer nothing: what a controller sets can be read off."""

    def __init__(self, **values: float) -> None:
        self.values = dict(values or {"lr_g": 1e-3, "lr_d": 4e-3, "r1": 0.0})

    def settings(self) -> Mapping[str, float]:
        return dict(self.values)

    def adjust(self, **changes: float) -> None:
        self.values |= changes


def row(loss: float = 1.0, norm: float = 1.0, margin: float = 0.1) -> dict[str, float]:
    """One step of a training by its losses, gradient norms, and how far apart D holds the data."""
    return dict(zip(QUANTITIES, (loss, loss, norm, norm, 0.5 + margin / 2, 0.5 - margin / 2),
                    strict=True))  # fmt: skip


def watch(controller: RuleController, rows: list[dict[str, Any]], first: int = 0) -> list[Any]:
    """Show a controller these rows, one a step; the rows of its own that it answered with."""
    said = [controller.watch(first + i, r) for i, r in enumerate(rows)]
    return [r for r in said if r]


def test_exploding_losses_halve_all_rates_within_bounds() -> None:
    steered = NumericSettings()
    controller = RuleController(steered, {"lr_g": (6e-4, 1e-2), "lr_d": (1e-4, 1e-1)}, every=EVERY)
    said = watch(controller, [row(loss=500.0)] * EVERY)
    assert steered.values == {"lr_g": 6e-4, "lr_d": 2e-3, "r1": 0.0}
    assert [r["control/rule"] for r in said] == [0.0, 1.0]
    assert said[0]["control/lr_d"] == 4e-3
    assert said[1]["control/lr_d"] == 2e-3
    assert said[0].keys() == said[1].keys()


def test_a_won_discriminator_gets_more_r1_and_without_such_a_setting_half_its_rate() -> None:
    won = row(loss=0.02, margin=0.98)
    steered, rates = NumericSettings(), NumericSettings(lr_g=1e-3, lr_d=1e-3)
    watch(RuleController(steered, every=EVERY), [won] * 2 * EVERY)
    watch(RuleController(rates, every=EVERY), [won] * 2 * EVERY)
    assert steered.values["r1"] == 0.1
    assert rates.values == {"lr_g": 1e-3, "lr_d": 5e-4}


def test_after_an_action_there_is_none_for_as_many_windows_as_were_asked_for() -> None:
    steered = NumericSettings()
    controller = RuleController(steered, every=EVERY, cooldown=3)
    watch(controller, [row(loss=500.0)] * EVERY * 9)
    assert [action.step for action in controller.actions] == [9, 49, 89]


def test_between_its_marks_a_rule_stays_on() -> None:
    """Hysteresis: on at 100, off under 30; 50 in between neither begins nor ends it."""
    begins, stays = (
        RuleController(NumericSettings(), every=EVERY),
        RuleController(NumericSettings(), every=EVERY, cooldown=0),
    )
    watch(begins, [row(loss=50.0)] * EVERY * 4)
    assert not begins.actions
    rule = RULES[1]  # needs two windows
    won, between, lost = row(loss=0.1, margin=0.9), row(loss=0.2, margin=0.9), row()
    watch(stays, [won] * EVERY + [between] * EVERY + [won] * EVERY)
    assert [action.rule for action in stays.actions] == [rule.number]
    apart = RuleController(NumericSettings(), every=EVERY, cooldown=0)
    watch(apart, [won] * EVERY + [lost] * EVERY + [won] * EVERY)
    assert not apart.actions


def test_nothing_mends_what_is_not_finite() -> None:
    controller = RuleController(NumericSettings(), every=EVERY)
    watch(controller, [row(loss=math.nan)] * 5 * EVERY)
    assert not controller.actions


@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(1e-8, 1e5), st.floats(0, 1)), min_size=1,
             max_size=12),
    st.integers(0, 3),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_actions_stay_in_bounds_move_at_most_twofold_and_undo_exactly(
    windows: list[tuple[float, float, float]], cooldown: int
) -> None:
    steered = NumericSettings()
    bounds = {"lr_g": (3e-4, 3e-3), "lr_d": (1e-3, 5e-3), "r1": (0.0, 0.5)}
    controller = RuleController(steered, bounds, every=EVERY, cooldown=cooldown)
    for i, (loss, norm, margin) in enumerate(windows):
        watch(controller, [row(loss, norm, margin)] * EVERY, i * EVERY)
        assert all(low <= steered.values[f] <= high for f, (low, high) in bounds.items())
    for action in controller.actions:
        for field in ("lr_g", "lr_d"):
            assert 0.5 <= action.after[field] / action.before[field] <= 2
    while controller.actions:
        expected = dict(controller.actions[-1].before)
        controller.undo()
        assert steered.values == expected  # to the last bit
    assert steered.values == {"lr_g": 1e-3, "lr_d": 4e-3, "r1": 0.0}
    with pytest.raises(OptionError, match="nothing to undo"):
        controller.undo()


def test_an_undone_rule_does_not_act_again_and_the_undoing_is_recorded() -> None:
    steered = NumericSettings()
    controller = RuleController(steered, every=EVERY, cooldown=0)
    watch(controller, [row(loss=500.0)] * EVERY)
    controller.undo()
    said = watch(controller, [row(loss=500.0)] * EVERY * 3, EVERY)
    assert [(r["control/rule"], r["control/measure"]) for r in said] == [(UNDONE, 1.0)]
    assert said[0]["control/lr_g"] == 1e-3
    assert steered.values["lr_g"] == 1e-3


def test_a_dry_run_says_what_it_would_do_and_changes_nothing() -> None:
    steered = NumericSettings()
    controller = RuleController(steered, every=EVERY, dry_run=True)
    said = watch(controller, [row(loss=500.0)] * EVERY)
    assert steered.values == {"lr_g": 1e-3, "lr_d": 4e-3, "r1": 0.0}
    assert said[1]["control/would_lr_d"] == 2e-3
    assert said[1]["control/would_rule"] == 1
    assert all(name.startswith("control/would_") for r in said for name in r)


def test_a_course_is_followed_by_steps_and_at_once_before_the_first() -> None:
    course = Target({"lr_g": 4e-3, "r1": 0.1}, 0.1, 0.8)
    live, begun = NumericSettings(), NumericSettings()
    controller = RuleController(
        live, every=EVERY, course=course, good=lambda curves: np.array([0.1]), rules=()
    )
    watch(controller, [row()] * EVERY)
    assert live.values == {"lr_g": 2e-3, "lr_d": 4e-3, "r1": 0.1}
    watch(controller, [row()] * EVERY * 3, EVERY)
    assert live.values == {"lr_g": 4e-3, "lr_d": 4e-3, "r1": 0.1}
    assert {action.rule for action in controller.actions} == {STEERED}
    started = RuleController(begun, every=EVERY, course=course, rules=())
    started.start()
    assert begun.values == live.values
    started.undo()
    assert begun.values == {"lr_g": 1e-3, "lr_d": 4e-3, "r1": 0.0}
    watch(started, [row()] * EVERY * 3)
    assert not started.actions  # what was undone is not done on the way either


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({"lr_d": (1e-5, 1e-3)}, "outside of its bounds"),
        ({"lr_d": (1e-2, 1e-3)}, "low <= high"),
        ({"lr_d": (math.nan, 1e-3)}, "low <= high"),
        ({"speed": (0.0, 1.0)}, "no setting of this training"),
        ({}, "no setting may change"),
    ],
)
def test_bounds_that_make_no_sense_are_refused_in_a_sentence(
    bounds: dict[str, tuple[float, float]], words: str
) -> None:
    with pytest.raises(OptionError, match=words) as caught:
        RuleController(NumericSettings(), bounds)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_bounds_are_read_from_texts() -> None:
    assert parse_bounds(["lr_d=1e-4..1e-2", "r1=0..1"]) == {"lr_d": (1e-4, 1e-2), "r1": (0, 1)}
    assert parse_bounds([]) is None
    for text in ("lr_d", "lr_d=1", "=1..2", "lr_d=a..b"):
        with pytest.raises(OptionError, match=r"expected FIELD=LOW\.\.HIGH"):
            parse_bounds([text])
    assert all(b.low <= 5.0 <= b.high for b in bounds_of({"lr_g": 5.0, "r1": 5.0}, None).values())


def test_window_figures_are_those_of_the_library() -> None:
    rng = np.random.default_rng(0)
    table = {name: rng.normal(size=WINDOWS * 8) for name in QUANTITIES}
    table["generator/loss"][[3, 50]] = np.nan, np.inf
    at = np.arange(WINDOWS * 8)
    series = Series({n: Column(at, v, np.zeros(0)) for n, v in table.items()})
    expected = window_features(series, WINDOWS * 8)
    for k in (0, 6, WINDOWS - 1):
        own = window_of({n: v[8 * k : 8 * k + 8] for n, v in table.items()}).figures
        np.testing.assert_array_equal(own, expected[k])


def test_own_optimizers_keep_the_ratios_of_their_groups() -> None:
    a, b = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    groups = [{"params": [a], "lr": 1e-3}, {"params": [b], "lr": 3e-4}]
    optimizer = torch.optim.Adam(groups)
    rates = OptimizerRates({"generator": optimizer, "encoder": torch.optim.SGD([a], lr=0.1)})
    assert rates.settings() == {"lr_g": 1e-3, "lr_encoder": 0.1}
    rates.adjust(lr_g=5e-4)
    assert [g["lr"] for g in optimizer.param_groups] == [5e-4, 1.5e-4]
    rates.adjust(lr_g=1e-3)
    assert [g["lr"] for g in optimizer.param_groups] == [1e-3, 3e-4]
    with pytest.raises(OptionError, match="above 0"):
        OptimizerRates({"generator": torch.optim.SGD([a], lr=0.0)})


def test_the_recorder_shows_rows_and_records_what_is_said(tmp_path: Path) -> None:
    steered = NumericSettings()
    with Recorder(tmp_path / "run", length=40) as recorder:
        recorder.control(RuleController(steered, every=EVERY))
        with pytest.raises(OptionError, match="keep one"):
            recorder.control(RuleController(steered, every=EVERY))
        for step in range(40):
            values: dict[str, Any] = dict(row(loss=500.0))
            values["generator/loss"] = torch.tensor(500.0, requires_grad=True) * 1
            recorder.log(step, values)
    columns = Run.open(tmp_path / "run").series().columns
    assert columns["control/rule"].steps.tolist() == [0, 9]
    assert columns["control/lr_d"].values.tolist() == [4e-3, 2e-3]
    assert len(columns["generator/loss"].values) == 40


def test_caught_up_it_is_where_one_is_that_watched_it_all(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    regimes = [row(500.0), row(0.05, margin=0.95), row(0.2, margin=0.9), row(norm=1e-6), row()]
    rows = [regimes[k] for k in rng.integers(len(regimes), size=20) for _ in range(2 * EVERY)]
    whole = RuleController(NumericSettings(), every=EVERY, cooldown=1)
    with Recorder(tmp_path / "run", length=400) as recorder:
        recorder.control(whole)
        for step, values in enumerate(rows):
            recorder.log(step, values)
    columns = Run.open(tmp_path / "run").series().columns
    cut = 200
    resumed = RuleController(NumericSettings(), every=EVERY, cooldown=1)
    resumed.catch_up(columns, cut)
    before = [action for action in whole.actions if action.step < cut]
    assert resumed.actions == before
    assert before
    resumed.adjustable.adjust(**before[-1].after)  # as the snapshot's state does
    watch(resumed, rows[cut:], cut)
    assert resumed.actions == whole.actions
    assert len(whole.actions) > len(before)
