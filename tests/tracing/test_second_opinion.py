"""Second opinion on a step: what its operations give under noise is what the code gives, or not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, softplus

from dlcc.errors import TraceError
from dlcc.tracing.disturbed_step import DisturbedStep
from dlcc.tracing.recorder import StepRecorder
from dlcc.tracing.rerun import leaves_of
from dlcc.tracing.second_opinion import differences, differing_roots, noise_for, told_losses
from tests.tracing.steps import DATA, ROWS, players

Step = Callable[[dict[str, nn.Module], dict[str, Any]], None]


def opinion(step: Step, nets: dict[str, nn.Module] | None = None) -> dict[int, str]:
    """Roots of a step that differ under noise."""
    nets = nets or players()
    before = copy.deepcopy(nets)

    def optimisers(of: dict[str, nn.Module]) -> dict[str, Any]:
        return {name: torch.optim.SGD(net.parameters(), 0.5) for name, net in of.items()}

    torch.manual_seed(2)
    with StepRecorder(nets) as recorder:
        step(nets, optimisers(nets))
    graph, tensors = recorder.graph()
    leaves = leaves_of(graph, tensors)
    noise = noise_for(graph, leaves, 0)
    assert noise
    torch.manual_seed(2)
    with DisturbedStep(before, noise, recorder.updated) as disturbed:
        step(before, optimisers(before))
    values = [float(value) for value in disturbed.values]
    return differences(graph, leaves, noise, values, disturbed.gradients)


def turn(optimiser: Any, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def gan(n: dict[str, nn.Module], o: dict[str, Any]) -> None:
    """Two players in turn: the second loss is of the weights that the first step has left."""
    fake = n["generator"](torch.randn(ROWS, 3))
    judge = n["discriminator"]
    turn(o["discriminator"], softplus(-judge(DATA[:ROWS])).mean() + judge(fake.detach()).mean())
    turn(o["generator"], softplus(-judge(fake)).mean())


def with_penalty(n: dict[str, nn.Module], o: dict[str, Any]) -> None:
    judge, fake = n["discriminator"], n["generator"](torch.randn(ROWS, 3)).detach()
    share = torch.rand(ROWS, 1)
    between = (share * DATA[:ROWS] + (1 - share) * fake).requires_grad_()
    (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
    penalty = (slope.norm(dim=1) - 1).square().mean()
    turn(o["discriminator"], judge(fake).mean() - judge(DATA[:ROWS]).mean() + 10 * penalty)


def with_penalty_at_samples(n: dict[str, nn.Module], o: dict[str, Any]) -> None:
    judge, fake = n["discriminator"], n["generator"](torch.randn(ROWS, 3))
    out = judge(fake)
    (slope,) = torch.autograd.grad(out.sum(), fake, create_graph=True)
    turn(o["discriminator"], out.square().mean() + slope.square().sum(1).mean())


def accumulated(n: dict[str, nn.Module], o: dict[str, Any]) -> None:
    o["discriminator"].zero_grad()
    for rows in DATA[:ROWS].chunk(2):
        softplus(-n["discriminator"](rows)).mean().div(2).backward()
    o["discriminator"].step()


def by_autograd_grad(n: dict[str, nn.Module], o: dict[str, Any]) -> None:
    judge = n["discriminator"]
    weights = list(judge.parameters())
    found = torch.autograd.grad(softplus(-judge(DATA[:ROWS])).mean(), weights)
    for weight, slope in zip(weights, found, strict=True):
        weight.grad = slope
    o["discriminator"].step()


def of_probabilities(n: dict[str, nn.Module], o: dict[str, Any]) -> None:
    ones = torch.ones(ROWS, 1)  # torch refuses what lies outside of [0, 1]
    turn(o["discriminator"], binary_cross_entropy(n["discriminator"](DATA[:ROWS]), ones))


def test_a_player_that_returns_losses_of_its_own_is_followed() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(5, 5)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            made = self.net(x)
            return made, (made - x).square().mean()

    def step(n: dict[str, nn.Module], o: dict[str, Any]) -> None:
        made, loss = n["model"](DATA[:ROWS])
        turn(o["model"], loss + 0.1 * made.abs().mean())

    assert opinion(step, {"model": Model()}) == {}


@pytest.mark.parametrize(
    ("step", "last"),
    [
        (gan, None),
        (with_penalty, None),
        (with_penalty_at_samples, None),
        (accumulated, None),
        (by_autograd_grad, None),
        (of_probabilities, nn.Sigmoid()),
    ],
)
def test_what_operations_show_is_what_the_code_does(step: Step, last: nn.Module | None) -> None:
    assert opinion(step, players(last)) == {}


def weighted_by_itself(n: dict[str, nn.Module], o: dict[str, Any]) -> None:
    real = softplus(-n["discriminator"](DATA[:ROWS])).mean()
    turn(o["discriminator"], real * (1 + real.item()))


def of_what_numpy_made(n: dict[str, nn.Module], o: dict[str, Any]) -> None:
    out = n["discriminator"](DATA[:ROWS])
    turn(o["discriminator"], (out * torch.from_numpy(out.detach().numpy() ** 2)).mean())


@pytest.mark.parametrize("step", [weighted_by_itself, of_what_numpy_made])
def test_what_no_operation_shows_is_found(step: Step) -> None:
    found = opinion(step)
    assert list(found) == [0]
    assert "where players return a little more" in found[0]


def test_only_the_updates_whose_loss_differs_are_told() -> None:
    from dlcc.tracing.graph import Update

    found = {1: "its value is another one"}
    assert differing_roots(Update(("d",), (), (0,)), found) == ""
    assert differing_roots(Update(("d",), (), (0, 1)), found) == "its value is another one"


def test_what_is_told_wrongly_is_refused() -> None:
    with pytest.raises(TraceError, match="told wrongly"):
        told_losses({"value/0": np.zeros(1)}, 2)
    with pytest.raises(TraceError, match="told wrongly"):
        told_losses({"value/0": np.zeros(1), "gradient/7/0/0": np.zeros(1)}, 1)
