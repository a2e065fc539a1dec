"""Gradients of rows for parameters without a closed form: as the pass saw the model."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcc.landscape import (
    per_sample_gradient_norms,
)
from tests.landscape.oracles import assert_right, brute_force, close, squares

pytestmark = pytest.mark.usefixtures("double")


class Scaled(nn.Module):
    """A layer after which a parameter of no layer scales what the rest gives."""

    def __init__(self, body: nn.Module, width: int) -> None:
        super().__init__()
        self.body = body
        self.scale = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = torch.tanh(self.body(x).flatten(1)) * self.scale
        return out


def test_the_fallback_sees_what_the_pass_saw() -> None:
    instance = nn.InstanceNorm1d(3, affine=True, track_running_stats=True)
    assert_right(Scaled(nn.Sequential(nn.Conv1d(2, 3, 2), instance), 12), torch.randn(4, 2, 5))
    old = nn.utils.spectral_norm(nn.Linear(5, 3))
    assert_right(Scaled(old, 3), torch.randn(4, 5))
    assert type(old.weight) in (Tensor, nn.Parameter)


def test_the_fallback_leaves_the_random_state_alone() -> None:
    model = Scaled(nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.5)), 3)
    before = torch.get_rng_state()
    per_sample_gradient_norms(model, squares, torch.randn(4, 5, generator=torch.Generator()))
    assert torch.equal(torch.get_rng_state(), before)


def test_batch_normalisation_called_twice_keeps_the_statistics_of_each_call() -> None:
    norm, scale = nn.BatchNorm1d(3), Scaled(nn.Identity(), 3)
    model = nn.Sequential(norm, scale)
    batch = torch.randn(6, 2, 3)

    def both(model: nn.Module, batch: Tensor) -> Tensor:
        return (model(batch[:, 0]).sin() - 2 * model(3 + batch[:, 1])).square().sum(dim=1)

    expected = []
    held = [part.detach() for part in (batch[:, 0], 3 + batch[:, 1])]
    for row in range(6):
        outs = []
        for part in held:
            mean, variance = part.mean(dim=0), part.var(dim=0, correction=0)
            normal = (part[row : row + 1] - mean) / (variance + norm.eps).sqrt()
            outs.append(scale(normal * norm.weight + norm.bias))
        loss = (outs[0].sin() - 2 * outs[1]).square().sum()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        expected.append(torch.cat([s.flatten() for s in gradients]).norm())
    with pytest.warns(UserWarning, match="batch normalisation in training"):
        found = per_sample_gradient_norms(model, both, batch)
    close(found, torch.stack(expected), 1e-10)


def test_parts_of_a_batch_without_rows_stay_whole() -> None:
    model = Scaled(nn.Linear(5, 3), 3)
    x = torch.randn(4, 5)

    def loss(model: nn.Module, batch: dict[str, Any]) -> Tensor:
        return squares(model, batch["x"]) * batch["times"]

    found = per_sample_gradient_norms(model, loss, {"x": x, "times": torch.tensor(2.0)})
    close(found, 2 * brute_force(model, x).norm(dim=1), 1e-10)


def test_layers_that_nobody_knows_go_through_vmap() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 3), nn.PReLU(3), nn.Tanh())
    assert_right(model, torch.randn(5, 4))


def test_a_transformer() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
    assert_right(layer, torch.randn(3, 4, 8))


def test_a_parameter_of_no_dimensions() -> None:
    model = nn.Sequential(nn.Linear(4, 3), Scaled(nn.Identity(), 3))
    model[1].scale = nn.Parameter(torch.tensor(0.7))
    assert_right(model, torch.randn(5, 4))


def test_another_network_that_couples_the_rows_is_told() -> None:
    """A parameter without a closed form, and a loss through a network in training beside it."""
    model = Scaled(nn.Linear(4, 3), 3)
    other = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4))

    def through(model: nn.Module, batch: Tensor) -> Tensor:
        return squares(model, other(batch))

    with pytest.raises(ValueError, match=r"scale has no closed form.*leave other networks out"):
        per_sample_gradient_norms(model, through, torch.randn(6, 2))


class Recurrent(nn.Module):
    """What vmap does not know, behind what has a closed form."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.then = nn.Linear(4, 3), nn.LSTM(3, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.then(self.first(x))[0]
        return out


@pytest.mark.parametrize("n", [2, 4])
def test_what_vmap_does_not_know(n: int) -> None:
    assert_right(Recurrent(), torch.randn(n, 5, 4))
