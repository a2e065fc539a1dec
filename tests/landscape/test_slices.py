"""Slices against direct evaluations, one point after the other."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from dlcc.landscape import (
    ModelLoss,
    is_batched,
    random_direction,
    slice_1d,
    slice_2d,
)
from dlcc.landscape._engine import portions

DOUBLE = torch.float64
AT = [-1.0, -0.3, 0.0, 0.7, 2.0]


def softplus(model: nn.Module, batch: Tensor) -> Tensor:
    return F.softplus(-model(batch)).mean()


def models(dtype: torch.dtype = DOUBLE) -> dict[str, tuple[nn.Module, Tensor]]:
    """With a batch each."""
    torch.manual_seed(0)
    found: dict[str, tuple[nn.Module, Tensor]] = {
        "mlp": (nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)), torch.randn(7, 3)),
        "conv": (
            nn.Sequential(
                nn.Conv2d(1, 3, 3),
                nn.BatchNorm2d(3).eval(),
                nn.Tanh(),
                nn.ConvTranspose2d(3, 2, 2, stride=2),
                nn.Flatten(),
                nn.Linear(128, 1),
            ),
            torch.randn(4, 1, 6, 6),
        ),
        "training": (
            nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)),
            torch.randn(7, 3),
        ),
        "spectral": (
            nn.Sequential(parametrizations.spectral_norm(nn.Linear(3, 4)), nn.Linear(4, 1)).eval(),
            torch.randn(7, 3),
        ),
        "spectral, training": (
            nn.Sequential(parametrizations.spectral_norm(nn.Linear(3, 4)), nn.Linear(4, 1)),
            torch.randn(7, 3),
        ),
        "wide": (nn.Sequential(nn.Linear(200, 200), nn.Linear(200, 1)), torch.randn(64, 200)),
    }
    return {name: (model.to(dtype), batch.to(dtype)) for name, (model, batch) in found.items()}


BATCHED = {
    "mlp": True,
    "conv": True,
    "training": False,
    "spectral": True,
    "spectral, training": False,
    "wide": False,
}


def direct(
    model: nn.Module, batch: Tensor, directions: list[list[Tensor]], points: Any
) -> NDArray[np.float64]:
    """Of a fresh copy of the model's state at every point."""
    state = {name: value.clone() for name, value in model.state_dict().items()}
    found = []
    for point in points:
        with torch.no_grad():
            for j, p in enumerate(model.parameters()):
                for place, direction in zip(point, directions, strict=True):
                    p.add_(place * direction[j])
            found.append(softplus(model, batch).item())
        model.load_state_dict(state)
    return np.array(found)


@pytest.mark.parametrize("name", BATCHED)
@pytest.mark.parametrize(("dtype", "tolerance"), [(DOUBLE, 1e-10), (torch.float32, 1e-5)])
def test_against_direct_evaluation(name: str, dtype: torch.dtype, tolerance: float) -> None:
    model, batch = models(dtype)[name]
    params = list(model.parameters())
    one, two = random_direction(params, 1), random_direction(params, 2)
    expected = direct(model, batch, [one], [(a,) for a in AT])
    plane = direct(model, batch, [one, two], [(a, b) for a in AT for b in (0.5, -2.0, 0.0)])
    state = {key: value.clone() for key, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    loss = ModelLoss(model, softplus, batch)
    found = slice_1d(loss, params, one, AT)
    over = slice_2d(loss, params, (one, two), AT, [0.5, -2.0, 0.0])
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key]), key
    assert torch.equal(torch.get_rng_state(), random_state)
    assert is_batched(loss) is found.batched is over.batched is BATCHED[name]
    assert found.at.tolist() == over.at.tolist() == AT
    np.testing.assert_allclose(found.losses, expected, rtol=tolerance)
    np.testing.assert_allclose(over.losses, plane.reshape(5, 3), rtol=tolerance)
    if "training" not in name:  # a closure's buffers are its own affair
        plain = slice_1d(lambda: softplus(model, batch), params, one, AT)
        assert not plain.batched
        np.testing.assert_allclose(plain.losses, expected, rtol=tolerance)


@settings(max_examples=20, deadline=None)
@given(
    widths=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    n=st.integers(1, 5),
    points=st.integers(1, 9),
    together=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_both_ways_and_any_cut_agree(
    widths: list[int], n: int, points: int, together: int, seed: int
) -> None:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for a, b in zip([3, *widths], [*widths, 1], strict=True):
        layers += [nn.Linear(a, b), nn.Sigmoid()]
    model = nn.Sequential(*layers).double()
    batch = torch.randn(n, 3, dtype=DOUBLE)
    params = list(model.parameters())
    direction = random_direction(params, seed)
    at = np.linspace(-1, 1, points)
    loss = ModelLoss(model, softplus, batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portions, "BATCHED_NUMBERS", together)
        batched = slice_1d(loss, params, direction, at)
        patch.setattr(portions, "BATCHED_LINEAR", -1)
        looped = slice_1d(loss, params, direction, at)
    assert batched.batched
    assert not looped.batched
    np.testing.assert_allclose(batched.losses, looped.losses, rtol=1e-12)


def test_some_of_the_parameters_and_frozen_ones() -> None:
    model, batch = models()["mlp"]
    first = [next(model.parameters()).requires_grad_(False)]
    direction = random_direction(first)
    rest = [torch.zeros_like(p) for p in list(model.parameters())[1:]]
    expected = direct(model, batch, [direction + rest], [(a,) for a in AT])
    found = slice_1d(ModelLoss(model, softplus, batch), first, direction, AT)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-10)


@pytest.mark.parametrize("batched", [True, False])
def test_every_point_sees_the_same_random_numbers(
    batched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1)).double()
    params = list(model.parameters())
    batch = torch.randn(5, 3, dtype=DOUBLE)
    still = [torch.zeros_like(p) for p in params]
    if not batched:
        monkeypatch.setattr(portions, "BATCHED_LINEAR", -1)
    torch.manual_seed(4)
    expected = softplus(model, batch).item()
    torch.manual_seed(4)
    found = slice_1d(ModelLoss(model, softplus, batch), params, still, AT)
    assert found.batched is batched
    np.testing.assert_allclose(found.losses, expected, rtol=1e-12)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_parameters_are_put_back_after_an_error(error: type[BaseException]) -> None:
    model, batch = models(torch.float32)["wide"]
    params = list(model.parameters())
    before = [p.detach().clone() for p in params]
    calls = 0

    def loss() -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise error
        return softplus(model, batch)

    random_state = torch.get_rng_state()
    with pytest.raises(error):
        slice_1d(loss, params, random_direction(params), AT)
    assert calls == 3
    assert all(torch.equal(p, kept) for p, kept in zip(params, before, strict=True))
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.is_grad_enabled()


def test_a_loss_that_takes_gradients_itself() -> None:
    model, batch = models()["mlp"]
    params = list(model.parameters())
    direction = random_direction(params)

    def penalised(critic: nn.Module, rows: Tensor) -> Tensor:
        x = rows.clone().requires_grad_()
        (input_gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        return input_gradient.square().sum(dim=1).mean()

    loss = ModelLoss(model, penalised, batch)
    with pytest.raises(RuntimeError) as raised:
        slice_1d(loss, params, direction, [0.0, 1.0])
    assert "differentiates=True" in raised.value.__notes__[0]
    found = slice_1d(loss, params, direction, [0.0, 1.0], differentiates=True)
    assert not found.batched
    assert found.losses[0] == pytest.approx(loss().item())
    assert not is_batched(loss, differentiates=True)


def test_losses_that_are_not_finite_stay_in_the_slice() -> None:
    w = torch.ones(1, dtype=DOUBLE)
    found = slice_1d(lambda: w.sqrt().sum(), [w], [torch.ones(1)], [-2.0, 0.0, 3.0])
    np.testing.assert_array_equal(found.losses, [np.nan, 1, 2])


FIRST: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(80, 4), (6, 80)),
    "linear, many places": (lambda: nn.Linear(80, 4, bias=False), (6, 3, 80)),
    "flattened": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(80, 4)), (6, 8, 10)),
    "used twice": (lambda: nn.Sequential(*[nn.Linear(80, 80)] * 2), (6, 80)),
    "convolution": (lambda: nn.Conv2d(2, 4, 3), (3, 2, 7, 8)),
}


@pytest.mark.parametrize("kind", FIRST)
def test_planes_through_first_layers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "BATCHED_LINEAR", -1)
    monkeypatch.setattr(portions, "BATCHED_CONVOLUTIONAL", -1)
    torch.manual_seed(0)
    make, shape = FIRST[kind]
    model = nn.Sequential(make(), nn.Tanh()).double()
    batch = torch.randn(shape, dtype=DOUBLE)
    params = list(model.parameters())
    one, two = random_direction(params, 1), random_direction(params, 2)
    points = [(a, b) for a in AT for b in AT]
    expected = direct(model, batch, [one, two], points)
    found = slice_2d(ModelLoss(model, softplus, batch), params, (one, two), AT)
    np.testing.assert_allclose(found.losses.ravel(), expected, rtol=1e-10)


def test_a_batch_that_a_loss_writes_to() -> None:
    """Each point sees what the one before left."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(80, 120), nn.Tanh(), nn.Linear(120, 1)).double()
    params = list(model.parameters())
    batch = torch.randn(64, 80, dtype=DOUBLE)
    directions = [random_direction(params, seed) for seed in (1, 2)]
    points = [(a, b) for a in AT for b in AT]

    def flipping(critic: nn.Module, rows: Tensor) -> Tensor:
        return softplus(critic, rows.mul_(-1).view(64, 80))

    own = batch.clone()
    found = slice_2d(ModelLoss(model, flipping, own), params, (directions[0], directions[1]), AT)
    assert not found.batched
    signs = [-1 if k % 2 == 0 else 1 for k in range(len(points))]
    expected = [
        direct(model, sign * batch, directions, [point])[0]
        for sign, point in zip(signs, points, strict=True)
    ]
    np.testing.assert_allclose(found.losses.ravel(), expected, rtol=1e-10)


class Viewing(nn.Module):
    """Views what a convolution gives, which takes the layout that it usually has."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.up = nn.Conv2d(1, 16, 3), nn.ConvTranspose2d(16, 32, 5)
        self.last = nn.Linear(32 * 10 * 10, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.up(torch.tanh(self.first(x))).view(len(x), -1))
        return out


def pictures() -> dict[str, nn.Module]:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(1, 16, 3),
        nn.Tanh(),
        nn.Conv2d(16, 64, 4, 2),
        nn.ELU(inplace=True),
        nn.ConvTranspose2d(64, 9, 2),
        nn.Flatten(),
        nn.Linear(9 * 9, 1),
    ]
    tracked, untracked = nn.BatchNorm2d(1), nn.BatchNorm2d(1, track_running_stats=False)
    tracked.running_mean = torch.tensor([0.3])
    return {
        "alone": nn.Sequential(*layers),
        "views": Viewing(),
        "normalised": nn.Sequential(tracked, *layers).eval(),
        "coupled": nn.Sequential(untracked, *layers).eval(),
        "in training": nn.Sequential(nn.BatchNorm2d(1), *layers),
    }


@pytest.mark.parametrize("kind", pictures())
@pytest.mark.parametrize("per_sample", [True, False])
def test_convolutions_in_parts(
    kind: str, per_sample: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portions, "BATCHED_CONVOLUTIONAL", -1)
    monkeypatch.setattr(portions, "PART_NUMBERS", 4000)
    model, batch, seen = pictures()[kind], torch.randn(11, 1, 8, 8), []

    def loss(critic: nn.Module, rows: Tensor) -> Tensor:
        seen.append(len(rows))
        losses = F.softplus(-critic(rows)).flatten()
        return losses if per_sample else losses.mean()

    params = list(model.parameters())
    directions = random_direction(params, 1), random_direction(params, 2)
    points = [(a, b) for a in AT for b in AT]
    expected = direct(model, batch, list(directions), points)
    given = ModelLoss(model, loss, batch, per_sample)
    found = slice_2d(given, params, directions, AT)
    np.testing.assert_allclose(found.losses.ravel(), expected, rtol=1e-5)
    in_parts = per_sample and kind in ("alone", "views", "normalised")
    assert (max(seen[1:]) < len(batch)) is in_parts
    again = slice_2d(given, params, directions, AT)
    np.testing.assert_array_equal(again.losses, found.losses)


def test_rows_that_draw_random_numbers_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "BATCHED_LINEAR", -1)
    monkeypatch.setattr(portions, "PART_NUMBERS", 10)
    model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))
    params, batch = list(model.parameters()), torch.randn(50, 3)
    torch.manual_seed(4)
    expected = softplus(model, batch).item()
    torch.manual_seed(4)
    loss = ModelLoss(model, lambda m, x: F.softplus(-m(x)).flatten(), batch, per_sample=True)
    found = slice_1d(loss, params, [torch.zeros_like(p) for p in params], AT)
    np.testing.assert_allclose(found.losses, expected, rtol=1e-6)


# --- bad input ------------------------------------------------------------------------------------

W = torch.ones(2, 2)
META = torch.ones(1, device="meta")


def good() -> Tensor:
    return W.sum()


@pytest.mark.parametrize(
    ("loss", "params", "direction", "at", "words"),
    [
        (good, [], [], AT, "params is empty"),
        (good, [W, META], [W, META], AT, "params lie on cpu, meta"),
        (good, [W], [W, W], AT, "direction has 2 tensors; expected 1, as params"),
        (good, [W], [W[0]], AT, r"direction\[0\] has the shape \[2\]; expected \[2, 2\]"),
        (good, [W], [W / 0], AT, r"direction\[0\] is not finite"),
        (good, [W], [W], [], r"at has the shape \[0\]; expected places"),
        (good, [W], [W], [0, float("nan")], "at has places that are not finite"),
        (
            lambda: W,
            [W],
            [W],
            AT,
            r"the loss is a tensor \[2, 2\] of .*; expected a scalar",
        ),
        (lambda: 1.0, [W], [W], AT, "the loss is float 1.0; expected a scalar"),
    ],
)
def test_bad_slices(
    loss: Callable[[], Any], params: list[Tensor], direction: list[Tensor], at: Any, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        slice_1d(loss, params, direction, at)
    assert torch.equal(W, torch.ones(2, 2))


def test_a_plane_names_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"directions\[1\] has 0 tensors"):
        slice_2d(good, [W], ([W], []), AT)
    with pytest.raises(ValueError, match="directions is list of 1; expected two directions"):
        slice_2d(good, [W], [[W]], AT)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"direction is a tensor \[2, 2\] .*; expected a list of"):
        slice_1d(good, [W], W, AT)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"loss is float 1\.0; expected a closure or a ModelLoss"):
        slice_1d(1.0, [W], [W], AT)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="across has the shape"):
        slice_2d(good, [W], ([W], [W]), AT, [])


def test_losses_of_models() -> None:
    model, batch = models()["mlp"]
    params = list(model.parameters())
    with pytest.raises(ValueError, match=r"params\[0\] of shape \[2, 2\] is no parameter"):
        slice_1d(ModelLoss(model, softplus, batch), [W], [W], AT)
    with pytest.raises(ValueError, match=r"the loss is a tensor \[7, 1\] of .*; expected a scalar"):
        slice_1d(ModelLoss(model, lambda m, b: m(b), batch), params, params, AT)
    for shape, loss in (([7, 1], lambda m, b: m(b)), ([], softplus)):
        words = re.escape(f"the loss is a tensor {shape} of ") + ".*; with per_sample, expected one"
        with pytest.raises(ValueError, match=words):
            slice_1d(ModelLoss(model, loss, batch, per_sample=True), params, params, AT)


def test_a_graph_from_before_can_go_back() -> None:
    layer, batch = nn.Linear(3, 1), torch.randn(4, 3)
    params, value = list(layer.parameters()), layer(batch.requires_grad_()).square().mean()
    slice_1d(lambda: layer(batch).mean(), params, random_direction(params), [0.0, 1.0])
    value.backward()
    assert batch.grad is not None


def test_a_graph_through_buffers_can_go_back() -> None:
    """A batch normalisation that is evaluated saves its buffers for the way back."""
    layer, batch = nn.BatchNorm1d(3), torch.randn(4, 3, requires_grad=True)
    params = list(layer.parameters())
    value = layer.eval()(batch).square().mean()
    loss = ModelLoss(layer.train(), lambda m, x: m(x).square().mean(), batch.detach())
    slice_1d(loss, params, random_direction(params), [0.0, 1.0])
    value.backward()
    assert batch.grad is not None


def test_parameters_that_share_their_numbers_with_others() -> None:
    """What a loss reads through a view moves too."""
    w = torch.ones(4)
    found = slice_1d(lambda: w.sum(), [w[:2]], [torch.ones(2)], [0.0, 1.0])
    assert found.losses.tolist() == [4, 6]
    assert w.tolist() == [1, 1, 1, 1]
