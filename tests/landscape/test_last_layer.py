"""Closed forms of the last layer's gradients, against one backward pass a row."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcc.landscape.last_layer import (
    covariance_trace,
    directions,
    last_layer_gradients,
    last_linear,
    layer_pass,
)
from dlcc.landscape.per_sample import PerSampleBackward


def net(outputs: int) -> nn.Sequential:
    torch.manual_seed(outputs)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, outputs)).double()


def row_loss(model: nn.Module, x: Tensor) -> Tensor:
    """Any loss of the outputs."""
    found: Tensor = model(x).square().sum(1) + model(x).sum(1).sin()
    return found


def closed(model: nn.Sequential, x: Tensor) -> tuple[Tensor, Tensor]:
    """Inputs of the last layer, and gradients at its outputs."""
    with layer_pass(last_linear(model)) as seen:
        out = model(x)
    losses = out.square().sum(1) + out.sum(1).sin()
    assert seen.input is not None
    assert seen.output is not None
    (delta,) = torch.autograd.grad(losses.sum(), seen.output, create_graph=True)
    return seen.input, delta


def one_by_one(model: nn.Sequential, x: Tensor) -> Tensor:
    """Gradients [n, outputs · 6] by a pass back a row, the bias behind each output's weights."""
    rows = []
    for row in x:
        loss = row_loss(model, row[None]).sum()
        weight, bias = torch.autograd.grad(loss, list(last_linear(model).parameters()))
        rows.append(torch.cat([weight, bias[:, None]], dim=1).flatten())
    return torch.stack(rows)


@pytest.mark.parametrize("outputs", [1, 4])
def test_gradients_are_those_of_a_pass_a_row(outputs: int) -> None:
    model, x = net(outputs), torch.randn(7, 3, dtype=torch.float64)
    inputs, deltas = closed(model, x)
    expected = one_by_one(model, x)
    assert torch.allclose(last_layer_gradients(inputs, deltas), expected)
    project = directions(last_linear(model), 3, seed=1)
    projected = last_layer_gradients(inputs, deltas, project)
    assert torch.allclose(projected, expected @ project.flatten(1).T)


@pytest.mark.parametrize("outputs", [1, 4])
def test_the_trace_is_that_of_the_covariance(outputs: int) -> None:
    model, x = net(outputs), torch.randn(7, 3, dtype=torch.float64)
    trace = covariance_trace(*closed(model, x))
    assert trace.item() == pytest.approx(one_by_one(model, x).var(dim=0).sum().item())
    for parameter in model[0].parameters():
        parameter.requires_grad_(False)
    noise = PerSampleBackward.of(model, row_loss, x).noise()
    assert trace.item() == pytest.approx(noise.trace)


def test_projected_gradients_can_be_descended() -> None:
    """By second derivatives of all layers, against finite differences."""
    model, x = net(1), torch.randn(4, 3, dtype=torch.float64)

    def value() -> Tensor:
        project = directions(last_linear(model), 2, seed=0)
        return last_layer_gradients(*closed(model, x), project).square().sum()

    weight = model[0].weight
    (slope,) = torch.autograd.grad(value(), weight)
    weight.data[0, 0] += 1e-6
    above = value().item()
    weight.data[0, 0] -= 2e-6
    below = value().item()
    assert slope[0, 0].item() == pytest.approx((above - below) / 2e-6, rel=1e-5)


def test_a_network_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="has no linear layer"):
        last_linear(nn.Sequential(nn.Conv2d(1, 1, 3)))
