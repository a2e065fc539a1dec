"""A model's anatomy serves for as long as the model stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcc.landscape import RowPass
from dlcc.landscape.anatomy import Anatomy
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


def test_one_anatomy_for_many_batches() -> None:
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.Flatten(), nn.Linear(12, 2))
    model.eval()
    anatomy = Anatomy(model)
    for rows in (5, 2, 9):
        batch = torch.randn(rows, 2, 6)
        found = RowPass.of(anatomy, squares, batch).norms()
        close(found, brute_force(model, batch).norm(dim=1), 1e-10)
    assert anatomy.fits()


def test_layers_called_in_another_order_are_looked_at_again() -> None:
    model = Winding()
    anatomy = Anatomy(model)
    for sign in (1, -1, 1):
        batch = sign * torch.rand(6, 4)
        found = RowPass.of(anatomy, squares, batch).norms()
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
    anatomy = Anatomy(model)
    assert anatomy.fits()
    change(model)
    assert not anatomy.fits()
