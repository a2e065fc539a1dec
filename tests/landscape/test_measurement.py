"""A look at a point, against games and losses whose landscape is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dlcc.landscape import PlayerLoss, measure_landscape, parameter_vector
from dlcc.landscape.batches import NotFiniteError

pytestmark = pytest.mark.usefixtures("double")


class Point(nn.Module):
    """A player that is a vector."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(size))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self) -> nn.Parameter:
        assert isinstance(self.calls, Tensor)
        self.calls += 1
        return self.place


def turning(pull: float = 0.2) -> tuple[dict[str, PlayerLoss], Tensor]:
    """min over x, max over y of xᵀAy + pull/2 (‖x‖² − ‖y‖²), rows that differ by a constant."""
    x, y, a = Point(5), Point(5), torch.randn(5, 5)
    shifts = torch.tensor([-1.0, 0.0, 1.0])

    def of_x(model: nn.Module, batch: Tensor) -> Tensor:
        value: Tensor = model() @ a @ y() + pull / 2 * (model() @ model())
        return value + batch

    def of_y(model: nn.Module, batch: Tensor) -> Tensor:
        value: Tensor = -(x() @ a @ model()) + pull / 2 * (model() @ model())
        return value + batch

    return {"x": PlayerLoss(x, of_x, shifts), "y": PlayerLoss(y, of_y, shifts)}, a


def test_a_game_that_turns() -> None:
    losses, a = turning(pull=0.2)
    found = measure_landscape(losses)
    assert found.game is not None
    sizes = torch.linalg.svdvals(a)
    assert max(found.game.imaginary) == pytest.approx(float(sizes.max()))
    assert found.game.real == pytest.approx([0.2] * 10)
    assert found.game.nearest_axis[0] == pytest.approx(0.2)
    for player in found.players.values():
        assert (player.smallest, player.largest) == pytest.approx((0.2, 0.2))
        assert player.trace == pytest.approx(1.0)
        assert player.curvature_class == "convex"
        middle = player.slice_at.index(0.0)
        assert player.slice_losses[middle] == pytest.approx(player.loss)
    assert found.path is None


def test_the_field_along_the_way() -> None:
    """Of one player that falls to 0: straight ahead before it, straight back behind it."""
    x, held = Point(3), Point(2)
    falling = PlayerLoss(x, lambda model, batch: (model() @ model()) / 2 + batch, torch.zeros(2))
    still = PlayerLoss(held, lambda model, batch: (model() @ model()) / 2 + batch, torch.zeros(2))
    with torch.no_grad():
        held.place.zero_()
        before = {"x": parameter_vector(falling), "y": parameter_vector(still)}
        x.place.mul_(-1.0)
    found = measure_landscape({"x": falling, "y": still}, before)
    assert found.path is not None
    cosines = [c for at, c in zip(found.path.at, found.path.cosine, strict=True) if at != 0.5]
    assert cosines == pytest.approx([1.0] * 10 + [-1.0] * (len(cosines) - 10), abs=1e-9)


def test_nothing_of_the_players_changes() -> None:
    losses, _ = turning()
    before = {name: parameter_vector(own) for name, own in losses.items()}
    state = torch.get_rng_state()
    measure_landscape(losses, {name: place + 1 for name, place in before.items()})
    assert torch.equal(torch.get_rng_state(), state)
    for name, own in losses.items():
        assert torch.equal(parameter_vector(own), before[name])
        model = losses[name].model
        assert isinstance(model, Point)
        assert float(model.calls) == 0
        assert model.place.grad is None


def test_one_player_plays_no_game() -> None:
    losses, _ = turning()
    found = measure_landscape({"x": losses["x"]})
    assert found.game is None
    assert found.path is None


def test_the_same_point_gives_the_same_figures() -> None:
    losses, _ = turning()
    assert measure_landscape(losses) == measure_landscape(losses)


def test_what_cannot_be_looked_at() -> None:
    model = nn.Linear(2, 1)

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        found: Tensor = model(batch).squeeze(1)
        return found

    with pytest.raises(NotFiniteError, match="2 of 2 losses are not finite"):
        measure_landscape({"model": PlayerLoss(model, loss, torch.full((2, 2), torch.nan))})
    steep = PlayerLoss(model, lambda m, b: 1e308 * (10 * loss(m, b)), torch.ones(2, 2))
    with torch.no_grad():
        model.weight.zero_()
        model.bias.zero_()
    with pytest.raises(NotFiniteError, match="gradient's norm is"):
        measure_landscape({"model": steep})
    with pytest.raises(ValueError, match="does not depend on params"):
        measure_landscape(
            {"model": PlayerLoss(model, lambda m, b: m.weight.sum() + b, torch.zeros(3))}
        )


@pytest.mark.parametrize(
    "dtypes", [("bfloat16",) * 2, ("bfloat16", "float32"), ("float32", "float64")]
)
def test_parameters_of_few_digits_or_several_types(dtypes: tuple[str, str]) -> None:
    first, second = (getattr(torch, dtype) for dtype in dtypes)
    model = nn.Sequential(nn.Linear(2, 3).to(first), nn.Linear(3, 1).to(second))

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        assert isinstance(model, nn.Sequential)
        hidden = model[0](batch.to(first)).to(second)
        found: Tensor = model[1](hidden).squeeze(1)
        return found.square()

    found = measure_landscape({"model": PlayerLoss(model, loss, torch.randn(8, 2))})
    assert found.players["model"].largest > 0


def test_a_graph_from_before_can_go_back() -> None:
    model, batch = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), torch.randn(8, 2)
    value = model(batch).square().mean()
    measure_landscape({"model": PlayerLoss(model, lambda m, b: m(b).square().squeeze(1), batch)})
    value.backward()


def test_slopes_across_players_that_are_not_finite() -> None:
    one, other = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        other.weight.zero_()

    def of_one(model: nn.Module, batch: Tensor) -> Tensor:
        return (model(batch) * other(batch).abs().sqrt() + model(batch).square()).squeeze(1)

    batch = torch.ones(4, 1)
    losses = {
        "one": PlayerLoss(one, of_one, batch),
        "other": PlayerLoss(other, lambda m, b: m(b).square().squeeze(1), batch),
    }
    with pytest.raises(NotFiniteError, match="look for a root"):
        measure_landscape(losses)
