"""Rules of optimisers: what breaks them is named, what does not is left alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dlcc.stages.consistency.rules.optimisers import (
    holds_the_judge,
    left_out,
    never_stepped,
    scale_is_undone,
    stepped_twice,
)
from dlcc.stages.consistency.steps.traced_steps import TracedSteps
from tests.stages.consistency.rules.evidence import Rule, breaches, evidence, rows, traced

DATA = rows(0, 100)
Sgd = torch.optim.SGD
Change = Callable[[dict[str, nn.Module]], tuple[list[Tensor], list[Tensor]]]


def whole(nets: dict[str, nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
    return list(nets["generator"].parameters()), list(nets["discriminator"].parameters())


def no_last_layer(nets: dict[str, nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
    g, d = whole(nets)
    return g, d[:-2]


def both(nets: dict[str, nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
    g, d = whole(nets)
    return [*g, *d], d


def game(
    weights: Change = whole, *, steps: int = 1, scale: float = 1, g: bool = True
) -> TracedSteps:
    """Two steps of a GAN whose optimisers hold what a function says."""
    torch.manual_seed(0)
    nets: dict[str, nn.Module] = {
        "generator": nn.Linear(3, 5),
        "discriminator": nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1)),
    }
    of_g, of_d = (Sgd(w, 1e-3) for w in weights(nets))
    make, judge = nets["generator"], nets["discriminator"]
    scaled = torch.tensor(scale)  # as a gradient scaler keeps it

    def step(number: int) -> None:
        x = DATA[torch.randint(len(DATA), (16,))]
        loss = (
            softplus(-judge(x)).mean() + softplus(judge(make(torch.randn(16, 3)).detach())).mean()
        )
        of_d.zero_grad()
        (loss * scaled).backward()
        for _ in range(steps):
            of_d.step()
        of_g.zero_grad()
        softplus(-judge(make(torch.randn(16, 3)))).mean().backward()
        if g:
            of_g.step()

    return traced(nets, step, DATA.numpy())


@pytest.mark.parametrize(
    ("rule", "wrong", "words", "player"),
    [
        (left_out, game(no_last_layer), "holds discriminator/2.bias, disc", "discriminator"),
        (stepped_twice, game(steps=2), "stepped twice", "discriminator"),
        (holds_the_judge, game(both), "holds the discriminator's weights", "generator"),
        (scale_is_undone, game(scale=1024.0), "1024 times that of the loss", "discriminator"),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_named(
    rule: Rule, wrong: TracedSteps, words: str, player: str
) -> None:
    assert breaches(rule, evidence(game())) == []
    (found,) = breaches(rule, evidence(wrong))
    assert words in found.message
    assert found.player == player


def test_a_player_that_is_never_stepped_is_named() -> None:
    still = evidence(game(g=False), columns={"generator/updates": [0.0] * 100})
    (found,) = breaches(never_stepped, still)
    assert (found.player, found.code) == ("generator", "LOG011")
    for counts in ([0.0] * 99 + [1.0], [0.0] * 20):  # seldom, and not yet
        waiting = evidence(game(g=False), columns={"generator/updates": counts})
        assert breaches(never_stepped, waiting) == []


def by_hand(*, last: bool) -> TracedSteps:
    """Two steps of a discriminator whose weights, or only those of its last layer, are updated
    without an optimiser."""
    judge = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1))
    held, loose = list(judge.parameters())[: 2 if last else 0], list(judge.parameters())[-2:]
    sgd = Sgd(held or [torch.zeros(1, requires_grad=True)], 1e-3)

    def step(number: int) -> None:
        judge.zero_grad()
        judge(DATA[torch.randint(len(DATA), (16,))]).square().mean().backward()
        sgd.step()
        for weight in loose:
            assert weight.grad is not None
            weight.data -= 0.1 * weight.grad

    return traced({"discriminator": judge}, step, DATA.numpy())


def test_weights_that_are_updated_by_hand_need_no_optimiser() -> None:
    counts = {"discriminator/updates": [0.0] * 100}
    steps = by_hand(last=False)
    assert breaches(never_stepped, evidence(steps, columns=counts)) == []
    assert breaches(left_out, evidence(by_hand(last=True))) == []
    moving = {**counts, "discriminator/update_norm": [0.1] * 100}  # by hand at other steps
    unseen = replace(
        steps, steps=tuple(replace(s, graph=replace(s.graph, written=())) for s in steps.steps)
    )
    assert len(breaches(never_stepped, evidence(unseen, columns=counts))) == 1
    assert breaches(never_stepped, evidence(unseen, columns=moving)) == []


def test_frozen_weights_are_no_weights_left_out() -> None:
    def frozen(nets: dict[str, nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
        for weight in list(nets["discriminator"].parameters())[-2:]:
            weight.requires_grad_(False)
        return no_last_layer(nets)

    assert breaches(left_out, evidence(game(frozen))) == []


def test_a_head_that_is_fine_tuned_alone_leaves_out_nothing() -> None:
    def head(nets: dict[str, nn.Module]) -> tuple[list[Tensor], list[Tensor]]:
        g, d = whole(nets)
        return g, d[2:]

    assert breaches(left_out, evidence(game(head))) == []


@pytest.mark.parametrize("how", ["data", "copy", "in place"])
def test_weights_that_are_clipped_are_weights_still(how: str) -> None:
    judge = nn.Linear(5, 1)
    sgd = Sgd(judge.parameters(), 1e-3)

    def step(number: int) -> None:
        for _ in range(2):
            sgd.zero_grad()
            judge(DATA[torch.randint(len(DATA), (16,))]).mean().backward()
            sgd.step()
            for weight in judge.parameters():
                if how == "data":
                    weight.data.clamp_(-0.01, 0.01)
                    continue
                with torch.no_grad():
                    if how == "copy":
                        weight.copy_(weight.clamp(-0.01, 0.01))
                    else:
                        weight.clamp_(-0.01, 0.01)

    steps = traced({"discriminator": judge}, step, DATA.numpy())
    assert [update.fault for update in steps.updates] == ["", ""]
    assert all(update.loss is not None for update in steps.updates)


def test_a_third_optimiser_of_both_is_for_a_loss_that_both_share() -> None:
    """As the information loss of InfoGAN, beside an optimiser of each player's own."""
    torch.manual_seed(0)
    nets: dict[str, nn.Module] = {"generator": nn.Linear(3, 5), "discriminator": nn.Linear(5, 1)}
    make, judge = nets["generator"], nets["discriminator"]
    every = [*make.parameters(), *judge.parameters()]
    of_g, of_d, of_both = (Sgd(w, 1e-3) for w in (make.parameters(), judge.parameters(), every))

    def step(number: int) -> None:
        x = DATA[torch.randint(len(DATA), (16,))]
        for optimiser, loss in (
            (of_d, lambda: softplus(-judge(x)).mean() + softplus(judge(draw().detach())).mean()),
            (of_g, lambda: softplus(-judge(draw())).mean()),
            (of_both, lambda: judge(draw()).square().mean()),
        ):
            optimiser.zero_grad()
            loss().backward()
            optimiser.step()

    def draw() -> Tensor:
        made: Tensor = make(torch.randn(16, 3))
        return made

    found = traced(nets, step, DATA.numpy())
    assert ("discriminator", "generator") in {update.players for update in found.updates}
    assert breaches(holds_the_judge, evidence(found)) == []
