"""Rules of settings and averages: states of snapshots held against the configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.consistency.rules.averages import stale_averages
from dlcc.stages.consistency.rules.check import check_rules
from dlcc.stages.consistency.rules.recorded_optimisers import optimisers_of
from dlcc.stages.consistency.rules.settings import (
    clipping_is_kept,
    schedule_is_kept,
    stated_settings,
)
from dlcc.stages.consistency.steps.traced_steps import TracedSteps
from dlcc.stages.recorded_state import RecordedState
from tests.stages.consistency.rules.evidence import (
    breaches,
    doubts,
    evidence,
    rows,
    state,
    traced,
)
from tests.stages.consistency.rules.test_optimisers import game

G = {"players/generator/w": torch.ones(2, 3), "players/generator/b": torch.ones(2)}
D = {"players/discriminator/w": torch.ones(4)}


def adam(count: int, **settings: Any) -> dict[str, Any]:
    group = {"lr": 1e-3, "betas": {"$tuple": [0.5, 0.999]}, "weight_decay": 0.0, **settings}
    return {"state": {}, "param_groups": [{**group, "params": list(range(count))}]}


def states(*rates: float) -> dict[int, RecordedState]:
    return {
        10 * k: state(10 * k, {"og": adam(2, lr=rate), "od": adam(1, lr=4 * rate)}, G | D)
        for k, rate in enumerate(rates)
    }


def test_optimisers_are_known_by_the_weights_that_they_hold() -> None:
    found = optimisers_of(states(1e-3)[0])
    assert {o.name: o.player for o in found} == {"og": "generator", "od": "discriminator"}
    assert found[0].values("betas.0") == [0.5]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"lr": 1e-3}, ""),
        ({"lr": 4e-3}, ""),
        ({"lr": 2e-3}, "lr = 0.002, and optimisers have 0.001 and 0.004"),
        ({"lr_g": 1e-3, "lr_d": 4e-3, "beta1": 0.5}, ""),
        ({"lr_g": 4e-3}, "the generator's optimiser has 0.001"),
        ({"optim": {"beta1": 0.9}}, "optim.beta1 = 0.9"),
        ({"weight_decay": 1e-4}, "weight_decay = 0.0001"),
        ({"seed": 3, "lr_schedule": "cosine"}, ""),
        ({"lr": 8e-3, "batch_size": 32}, ""),
        ({"lr": 9e-3, "warmup_steps": 100}, ""),
        ({"max_lr": 5e-3}, ""),
        ({"beta1": 1e-4, "beta2": 0.02, "bn_momentum": 0.1}, ""),
    ],
)
def test_a_setting_that_no_optimiser_has_is_named(config: dict[str, Any], said: str) -> None:
    found = breaches(stated_settings, evidence(states=states(1e-3), config=config))
    assert len(found) == bool(said)
    assert all(said in breach.message for breach in found)


@pytest.mark.parametrize(
    "groups",
    [
        [{"lr": 1e-4, "initial_lr": 1e-4, "max_lr": 2e-3, "min_lr": 1e-8}],  # one cycle
        [{"lr": 2e-4, "initial_lr": 1e-3}],  # begun by a schedule
        [{"lr": 1e-3}, {"lr": 8e-4}],  # layers with rates of their own
    ],
)
def test_a_rate_that_a_schedule_or_a_layer_has_is_no_other_rate(groups: Any) -> None:
    of_generator = {"state": {}, "param_groups": [
        {**adam(1)["param_groups"][0], **group, "params": [k]} for k, group in enumerate(groups)
    ]}  # fmt: skip
    scheduled = {0: state(0, {"og": of_generator}, dict(list(G.items())[: len(groups)]))}
    assert breaches(stated_settings, evidence(states=scheduled, config={"lr": 2e-3})) == []
    plain = {0: state(0, {"og": adam(2)}, G)}
    assert len(breaches(stated_settings, evidence(states=plain, config={"lr": 2e-3}))) == 1


def test_a_schedule_that_moves_nothing_is_named() -> None:
    still, moves = states(1e-3, 1e-3, 1e-3), states(1e-3, 9e-4, 5e-4)
    config, steps = {"lr_schedule": "cosine"}, game()
    assert len(breaches(schedule_is_kept, evidence(steps, states=still, config=config))) == 1
    for named in ({"optim": {"scheduler": "cosine"}}, {"g_lr_scheduler": "cosine"}):
        assert len(breaches(schedule_is_kept, evidence(steps, states=still, config=named))) == 1
    assert breaches(schedule_is_kept, evidence(steps, states=moves, config=config)) == []
    waiting = ({"lr_policy": "linear"}, {"scheduler": "plateau"}, {"scheduler": "multistep"})
    others = ({"lr_schedule": "constant"}, {"beta_schedule": "cosine"}, {"lr_decay": 0.9}, {})
    of_noise = ({"noise_scheduler": "cosine"}, {"diffusion": {"scheduler": "cosine"}})
    for none in (*waiting, *others, *of_noise):
        assert breaches(schedule_is_kept, evidence(steps, states=still, config=none)) == []
    early = {step // 10: state for step, state in still.items()}  # within the first pass
    assert breaches(schedule_is_kept, evidence(steps, states=early, config=config)) == []


def test_a_bound_that_gradients_exceed_is_named() -> None:
    steps = game()
    (found,) = breaches(clipping_is_kept, evidence(steps, config={"grad_clip": 1e-4}))
    assert "grad_clip = 0.0001" in found.message
    for kept in ({"grad_clip": 100.0}, {"clip": 1e-4}, {"grad_clip": 0}, {"clip_grad": True}):
        assert breaches(clipping_is_kept, evidence(steps, config=kept)) == []


def test_gradients_that_are_clipped_one_by_one_exceed_no_bound() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1))
    sgd = torch.optim.SGD(net.parameters(), 0.1)

    def clipped(one_by_one: bool) -> TracedSteps:
        def step(number: int) -> None:
            sgd.zero_grad()
            net(rows(number, 32)).square().sum().backward()
            parts = [[p] for p in net.parameters()] if one_by_one else [list(net.parameters())]
            for part in parts:
                torch.nn.utils.clip_grad_norm_(part, 1.0)
            sgd.step()

        return traced({"model": net}, step, None)

    for one_by_one in (True, False):
        made = evidence(clipped(one_by_one), config={"grad_clip": 0.1})
        assert len(breaches(clipping_is_kept, made)) == (not one_by_one)


def test_decay_may_be_by_hand() -> None:
    config = {"weight_decay": 1e-4}
    steps = game()
    graph = replace(steps.steps[0].graph, written=("generator/weight",))
    by_hand = TracedSteps(steps=(replace(steps.steps[0], graph=graph),))
    for of, count in ((steps, 1), (by_hand, 0)):
        made = evidence(of, states=states(1e-3), config=config)
        assert len(breaches(stated_settings, made)) == count


def averaged(name: str, *values: tuple[float, float]) -> dict[int, RecordedState]:
    """States of a generator and its average, filled with a number each."""
    return {
        k: state(
            k,
            {},
            {
                "players/generator/w": torch.full((3,), float(weight)),
                f"objects/{name}/w": torch.full((3,), float(average)),
            },
        )
        for k, (weight, average) in enumerate(values)
    }


def test_an_average_that_copies_is_named_once_it_is_warm() -> None:
    states = averaged("ema", (1, 1), (2, 2), (3, 3))
    late = {2_000 * step: replace(state, step=2_000 * step) for step, state in states.items()}
    (found,) = breaches(stale_averages, evidence(states=late))
    assert "averages nothing" in found.message
    assert breaches(stale_averages, evidence(states=late, config={"ema_start": 5_000})) == []


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("ema", [(1, 1), (2, 1.1), (3, 1.3)], ""),
        ("ema", [(1, 1), (2, 1), (3, 1)], "is the same at steps 0 and 2"),
        ("g_avg", [(1, 1), (2, 2), (3, 3)], "averages nothing"),
        ("ema", [(1, 1), (1, 1), (1, 1)], ""),
        ("best", [(1, 1), (2, 1), (3, 1)], ""),
        ("ema", [(1, 1), (2, 1)], ""),
    ],
)
def test_an_average_that_does_not_average_is_named(
    name: str, values: list[tuple[float, float]], said: str
) -> None:
    made = evidence(states=averaged(name, *values))
    found = breaches(stale_averages, replace(made, is_so_later=lambda *_: True))
    assert len(found) == bool(said)
    assert all(said in breach.message for breach in found)
    for later in (None, False):  # it may begin at a step that the code knows
        begins = replace(made, is_so_later=lambda *_, later=later: later)
        assert breaches(stale_averages, begins) == []
        assert len(doubts(stale_averages, begins)) == bool(said)


def test_an_average_is_accused_without_a_trial_only_near_the_end() -> None:
    states = averaged("ema", (1, 1), (2, 1), (3, 1))
    late = {700 * step: replace(state, step=700 * step) for step, state in states.items()}
    for length, count in ((1_400, 1), (1_500, 1), (2_000, 0)):
        made = evidence(states=late)
        ends = replace(made, config=replace(made.config, length=length))
        assert len(breaches(stale_averages, ends)) == count


def test_a_setting_accuses_only_where_changing_it_changes_nothing() -> None:
    made = evidence(states=states(1e-3), config={"lr": 2e-3})
    for why in ("no code", ""):
        ledger = Ledger()
        check_rules(ledger, replace(made, why_used=lambda path, of_step, why=why: why))
        verdicts = {o.id: o.verdict for o in ledger.obligations}
        assert verdicts["rule/settings"] == ("unknown" if why else "refuted")
        assert [f.code for f in ledger.findings] == ([] if why else ["LOG013"])
