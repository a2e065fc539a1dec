"""A model's structure serves for as long as the model stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcc.landscape import PerSampleBackward
from dlcc.landscape._engine.structure import ModelStructure
from tests.landscape.oracles import brute_force, close, squares

pytestmark = pytest.mark.usefixtures("double")


class Winding(nn.Module):
    """Two layers whose order depends on the sign of what comes in."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Any:
        first, second = (self.a, self.b) if float(x.sum()) > 0 else (self.b, self.a)
        return second(first(x).tanh())


def test_one_structure_for_many_batches() -> None:
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(12, 2))
    model.eval()
    structure = ModelStructure(model)
    for rows in (5, 2, 9):
        batch = torch.randn(rows, 2, 6)
        found = PerSampleBackward.of(structure, squares, batch).norms()
        close(found, brute_force(model, batch).norm(dim=1), 1e-10)
    assert structure.fits()


def test_layers_called_in_another_order_are_looked_at_again() -> None:
    model = Winding()
    structure = ModelStructure(model)
    for sign in (1, -1, 1):
        batch = sign * torch.rand(6, 4)
        found = PerSampleBackward.of(structure, squares, batch).norms()
        close(found, brute_force(model, batch).norm(dim=1), 1e-10)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model[0].requires_grad_(False),
        lambda model: model.append(nn.Linear(2, 2)),
        lambda model: model.__setitem__(1, nn.Linear(3, 2)),
        lambda model: setattr(model[0], "bias", nn.Parameter(torch.zeros(3))),
    ],
)
def test_a_changed_model_no_longer_fits(change: Any) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    structure = ModelStructure(model)
    assert structure.fits()
    change(model)
    assert not structure.fits()


class Switched(nn.Module):
    """A layer whose weight is also used beside it, now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.on = nn.Linear(4, 4), False

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x)
        return out + torch.tanh(x) @ self.layer.weight if self.on else out


def test_a_use_beside_the_layers_is_noticed_when_it_comes() -> None:
    model, batch = Switched(), torch.randn(5, 4)
    structure = ModelStructure(model)
    for model.on in (False, True, False):
        found = PerSampleBackward.of(structure, squares, batch).norms()
        close(found, brute_force(model, batch).norm(dim=1), 1e-10)


class PairFirst(nn.Module):
    """A layer that sees [2, n, d]."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)

    def forward(self, x: Tensor) -> Any:
        return torch.tanh(self.layer(x.transpose(0, 1))).transpose(0, 1)


def test_a_batch_as_short_as_a_dimension_after_a_longer_one() -> None:
    model = PairFirst()
    structure = ModelStructure(model)
    for rows in (16, 2, 1, 3):
        batch = torch.randn(rows, 2, 3)
        found = PerSampleBackward.of(structure, squares, batch).norms()
        close(found, brute_force(model, batch).norm(dim=1), 1e-10)


def test_batch_normalisations_beside_the_model_are_held() -> None:
    model, beside = nn.Linear(3, 4), nn.Sequential(nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))
    batch = torch.randn(6, 3)

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        return squares(nn.Sequential(model, beside), batch)

    found = PerSampleBackward.of(ModelStructure(model, [beside]), loss, batch).norms()
    assert beside[0].training
    norm = beside[0].eval()
    assert isinstance(norm, nn.BatchNorm1d)
    with torch.no_grad():
        norm.running_var, norm.running_mean = torch.var_mean(model(batch), dim=0, correction=0)
    close(found, brute_force(model, batch, loss).norm(dim=1), 1e-10)
