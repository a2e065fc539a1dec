"""What all controllers have in common: the interface, the old names, and the budget of time."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from dlcc.control import AkdeBo, Controller, OptimizerRates, RuleController
from dlcc.control.action import Action
from dlcc.control.step_budget import GRACE, StepBudget
from dlcc.errors import OptionError
from dlcc.runs.state import pack_state, unpack_state

BAD = {"generator/loss": 400.0, "generator/grad_norm": 2e4}


def optimizer() -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(3))], lr=0.1)


def test_those_that_there_are_are_controllers() -> None:
    assert issubclass(RuleController, Controller)
    assert issubclass(AkdeBo, Controller)


def test_the_old_names_make_a_controller_by_rules_and_say_the_new_one() -> None:
    with pytest.warns(DeprecationWarning, match="RuleController.of_optimizers now"):
        made = Controller.of_optimizers({"generator": optimizer()}, every=5)
    assert isinstance(made, RuleController)
    with pytest.warns(DeprecationWarning, match=r"RuleController\(\.\.\.\) now"):
        old: Any = Controller(OptimizerRates({"generator": optimizer()}))  # type: ignore[abstract]
    assert isinstance(old, RuleController)
    assert old.every == 50


def test_one_that_shapes_no_loss_adds_exactly_nothing() -> None:
    controller = RuleController.of_optimizers({"generator": optimizer()})
    added = controller.penalty("generator", 0, real=torch.ones(3))
    assert added.shape == ()
    assert added.item() == 0


def test_its_state_goes_through_json_and_goes_on_alike() -> None:
    """Mid-window, after an action: the twin acts at the same steps and undoes to the same rate."""
    optimizers = [optimizer(), optimizer()]
    first, second = (
        RuleController.of_optimizers({"generator": o}, every=5, cooldown=1) for o in optimizers
    )
    for step in range(7):
        first.watch(step, BAD)
    tree, tensors = pack_state(first.state_dict())
    second.load_state_dict(unpack_state(json.loads(json.dumps(tree)), tensors))
    rates = [o.param_groups[0]["lr"] for o in optimizers]
    assert rates[0] == rates[1] < 0.1
    for step in range(7, 30):
        assert first.watch(step, BAD) == second.watch(step, BAD)
    assert first.actions == second.actions
    assert len(first.actions) > 1
    assert first.undo() == second.undo()
    assert optimizers[0].param_groups[0]["lr"] == optimizers[1].param_groups[0]["lr"]


def test_an_action_is_the_same_from_plain_values() -> None:
    action = Action(3, 1, {"lr_g": 0.1}, {"lr_g": 0.05}, 4.0)
    assert Action.from_dict(json.loads(json.dumps(action.to_dict()))) == action


class Clock:
    """Clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_budget_is_spent_while_more_than_the_share_was_used() -> None:
    clock = Clock()
    budget = StepBudget(0.25, clock=clock)
    with budget.spending():
        clock.now += 1.0
    assert not budget.is_spent()  # it warms up
    clock.now = GRACE + 1
    assert budget.is_spent()
    clock.now = 4.5
    assert not budget.is_spent()
    assert budget.share_used() == pytest.approx(1 / 4.5)


def test_without_a_share_nothing_is_ever_skipped() -> None:
    clock = Clock()
    budget = StepBudget(clock=clock)
    with budget.spending():
        clock.now = 100.0
    assert not budget.is_spent()


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(OptionError, match="share of a step's time"):
        StepBudget(share)


def test_a_controller_over_its_budget_decides_nothing_and_says_so() -> None:
    rates = optimizer()
    controller = RuleController.of_optimizers({"generator": rates}, every=5, budget=0.5)
    clock = Clock()
    controller.budget = StepBudget(0.5, clock=clock)
    with controller.budget.spending():
        clock.now = 10.0
    rows = [row for step in range(5) if (row := controller.watch(step, BAD))]
    assert rates.param_groups[0]["lr"] == 0.1
    assert rows[-1]["control/rule"] == 91
    assert rows[-1]["control/measure"] == 1.0
    assert rows[0].keys() == rows[-1].keys()
