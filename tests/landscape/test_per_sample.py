"""Gradients of rows against autograd, one row at a time, in double precision."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from dlcc.landscape import (
    gradient_noise,
    per_layer_gradient_norms,
    per_sample_gradient_norms,
    per_sample_gradients,
)
from dlcc.landscape._engine import parameter_gradients
from tests.landscape.oracles import assert_right, brute_force, close, head, squares

pytestmark = pytest.mark.usefixtures("double")


# --- weights that are used at several places ------------------------------------------------------


class Twice(nn.Module):
    """A layer that is used twice, at numbers of places that differ."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv1d(3, 3, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(torch.tanh(self.layer(x)))
        return out


class Tied(nn.Module):
    """An embedding and a linear map of the same weights."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(7, 4)
        self.out = nn.Linear(4, 7, bias=False)
        self.out.weight = self.words.weight

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.out(torch.tanh(self.words(tokens)))
        return out


class BySide(nn.Module):
    """A layer whose weight is also used outside of it, and a parameter of no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(x)) @ self.layer.weight * self.scale


def test_a_layer_used_twice() -> None:
    assert_right(Twice(), torch.randn(4, 3, 9))


def test_tied_weights() -> None:
    assert_right(Tied(), torch.randint(0, 7, (3, 5)))


def test_a_weight_used_outside_of_its_layer_is_noticed() -> None:
    assert_right(BySide(), torch.randn(5, 4))


class Positions(nn.Module):
    """Of tokens [n, t], what is told of each; positions are no rows, also where t is n."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.out = nn.Embedding(9, 4), nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        places = self.places(torch.arange(tokens.shape[1]))
        out: Tensor = self.out(torch.tanh(self.words(tokens) + places))
        return out


class SequenceFirst(nn.Module):
    """A layer that sees [t, n, d]."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(torch.tanh(self.first(x.transpose(0, 1))).mean(dim=0))
        return out


@pytest.mark.parametrize("n", [1, 2, 4, 5])
def test_a_dimension_as_long_as_the_batch_is_not_taken_for_its_rows(n: int) -> None:
    assert_right(Positions(), torch.randint(0, 9, (n + (n == 1), 4)))
    assert_right(SequenceFirst(), torch.randn(n + (n == 1), 5, 3))


class Moving(nn.Module):
    """A layer that puts a new buffer in the place of the old one."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.register_buffer("seen", torch.zeros(3))

    def forward(self, x: Tensor) -> Tensor:
        self.seen = 0.9 * self.seen + 0.1 * x.detach().mean(dim=0)
        out: Tensor = self.layer(x)
        return out


def test_buffers_that_are_replaced_are_put_back() -> None:
    assert_right(Moving(), torch.randn(4, 3))


class Lazy(nn.Module):
    """A buffer that the first pass makes, and one that two modules have."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.scale = nn.Linear(3, 2), nn.Parameter(torch.randn(2))
        self.register_buffer("made", None)
        self.register_buffer("shared", torch.ones(2))
        self.layer.register_buffer("shared", self.shared)

    def forward(self, x: Tensor) -> Tensor:
        if self.made is None:
            self.made = torch.full((2,), 3.0)
        out: Tensor = self.layer(x) * self.scale * self.made * self.shared
        return out


def test_buffers_that_a_pass_makes_or_that_are_shared() -> None:
    model, batch = Lazy(), torch.randn(4, 3)
    found = per_sample_gradient_norms(model, squares, batch)
    assert model.made is None
    close(found, brute_force(model, batch).norm(dim=1), 1e-10)


class ByName(nn.Module):
    """A layer that is called with its input by name."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(3, 2), nn.BatchNorm1d(2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(input=self.layer(input=x))
        return out


def test_inputs_given_by_name() -> None:
    assert_right(ByName().eval(), torch.randn(4, 3))
    with pytest.warns(UserWarning, match="couples the rows"):
        per_sample_gradient_norms(ByName(), squares, torch.randn(4, 3))


def test_a_module_at_two_places_keeps_its_parameters() -> None:
    act = nn.PReLU()
    model = nn.Sequential(nn.Linear(3, 4), act, nn.Linear(4, 2), act)
    own = act.weight
    assert_right(model, torch.randn(4, 3))
    assert act.weight is own


class ParametrisedBySide(nn.Module):
    """A weight that a parametrisation makes, used in its layer and outside of it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x) + torch.tanh(x) @ self.layer.weight
        return out


def test_a_parametrised_weight_used_outside_of_its_layer_is_noticed() -> None:
    assert_right(ParametrisedBySide(), torch.randn(5, 4))


def test_a_graph_from_before_can_go_back() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    batch = torch.randn(5, 3)
    loss = squares(model, batch).mean()
    with pytest.warns(UserWarning, match="couples the rows"):
        per_sample_gradient_norms(model, squares, batch)
    loss.backward()


@pytest.mark.parametrize("width", [4, 20_000])
def test_parameters_of_several_types(width: int) -> None:
    model = nn.Sequential(nn.Linear(3, width).float(), nn.Tanh(), nn.Linear(width, 2).double())
    batch, size = torch.randn(4, 3), sum(p.numel() for p in model.parameters())

    def loss(model: nn.Module, batch: Tensor) -> Tensor:
        assert isinstance(model, nn.Sequential)
        hidden = model[1](model[0](batch.float()))
        out: Tensor = model[2](hidden.double())
        return out.square().sum(dim=1)

    project = torch.randn(size, 2).float() / size**0.5
    found = per_sample_gradients(model, loss, batch, project=project)
    close(found.double(), brute_force(model, batch, loss) @ project.double(), 1e-4)


def test_a_gradient_penalty_is_refused() -> None:
    def penalised(model: nn.Module, batch: Tensor) -> Tensor:
        x = batch.clone().requires_grad_()
        out = model(x).squeeze(1)
        (input_gradients,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        return out + 10 * input_gradients.square().sum(dim=1)

    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    with pytest.raises(ValueError, match="without the penalty"):
        per_sample_gradient_norms(model, penalised, torch.randn(5, 3))


def test_frozen_parameters_do_not_count() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    model[0].weight.requires_grad_(False)
    assert_right(model, torch.randn(3, 4))
    assert not model[0].weight.requires_grad


def test_norms_by_layer_add_up() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), parametrizations.weight_norm(nn.Linear(6, 2)))
    batch = torch.randn(5, 4)
    layers = per_layer_gradient_norms(model, squares, batch)
    assert set(layers) == {"0", "2"}
    total = per_sample_gradient_norms(model, squares, batch)
    close(torch.stack(list(layers.values())).square().sum(0).sqrt(), total, 1e-12)


def test_both_ways_and_any_cut_of_the_batch_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = torch.randn(7, 2, 9)
    model = head(nn.Conv1d(2, 3, 2), batch)
    usual = per_sample_gradient_norms(model, squares, batch)
    for cost in (0.0, 1e9):  # by Gram matrices always, never
        monkeypatch.setattr(parameter_gradients, "GRAM_COST", cost)
        for chunk in (1, 100, 1 << 22):
            monkeypatch.setattr(parameter_gradients, "CHUNK_NUMBERS", chunk)
            close(per_sample_gradient_norms(model, squares, batch), usual, 1e-12)
            noise = gradient_noise(model, squares, batch)
            mean = brute_force(model, batch).mean(dim=0)
            assert noise.mean_norm == pytest.approx(mean.norm().item(), rel=1e-10)


def test_single_precision_is_near_double() -> None:
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(64, 1))
    batch = torch.randn(5, 2, 6, 6)
    exact = brute_force(model, batch).norm(dim=1)
    close(per_sample_gradient_norms(model.float(), squares, batch.float()).double(), exact, 1e-5)


def test_the_noise_scale_of_a_known_gradient() -> None:
    """Rows of loss (w − x_i)²/2 have the gradients w − x_i: trace and scale are known."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 3, generator=generator) * 2

    class Offset(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 3)
            nn.init.constant_(self.layer.bias, 1.0)
            self.layer.weight.requires_grad_(False).zero_()

        def forward(self, rows: Tensor) -> Tensor:
            out: Tensor = self.layer(torch.zeros(len(rows), 1))
            return out

    noise = gradient_noise(Offset(), lambda m, b: (m(b) - b).square().sum(1) / 2, x)
    assert noise.trace == pytest.approx(12, rel=0.03)
    assert noise.scale == pytest.approx(12 / 3, rel=0.06)


# --- bad input ------------------------------------------------------------------------------------


def model_and_batch() -> tuple[nn.Module, Tensor]:
    return nn.Linear(3, 2), torch.randn(4, 3)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (
            lambda m, b: m(b).sum(),
            r"gave a tensor \[\] of .*; expected one loss a row, \[4\]",
        ),
        (lambda m, b: m(b), r"gave a tensor \[4, 2\] of torch.float64; expected one loss a row"),
        (lambda m, b: m(b)[:3].sum(1), "3 losses for a batch of 4 rows"),
        (lambda m, b: m(b).sum(1) / 0, "4 of 4 losses are not finite"),
        (lambda m, b: 1.0, "gave float 1.0; expected a tensor"),
    ],
)
def test_losses_that_are_none_a_row(loss: Any, words: str) -> None:
    model, batch = model_and_batch()
    with pytest.raises(ValueError, match=words):
        per_sample_gradient_norms(model, loss, batch)


def test_an_empty_batch() -> None:
    with pytest.raises(ValueError, match="the batch is empty"):
        per_sample_gradient_norms(nn.Linear(3, 2), squares, torch.zeros(0, 3))


def test_a_batch_of_one_row_has_norms_and_no_covariance() -> None:
    model, batch = model_and_batch()
    assert per_sample_gradient_norms(model, squares, batch[:1]).shape == (1,)
    with pytest.raises(ValueError, match="batch of 1 row has no covariance"):
        gradient_noise(model, squares, batch[:1])


def test_a_model_of_which_nothing_is_trained() -> None:
    model, batch = model_and_batch()
    with pytest.raises(ValueError, match="no parameter of the model requires a gradient"):
        per_sample_gradient_norms(model.requires_grad_(False), squares, batch)


def test_a_model_on_two_devices() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3, device="meta"))
    with pytest.raises(ValueError, match="lies on cpu, meta; move it to one device"):
        per_sample_gradient_norms(model, squares, torch.randn(4, 3))


def test_directions_of_another_size() -> None:
    model, batch = model_and_batch()
    with pytest.raises(ValueError, match=r"shape \[7, 2\]; the model trains 8 numbers"):
        per_sample_gradients(model, squares, batch, project=torch.randn(7, 2))


def test_hooks_and_buffers_are_put_back_after_an_error() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    with pytest.raises(ValueError, match="expected one loss a row"), warnings.catch_warnings():
        per_sample_gradient_norms(model, lambda m, b: m(b).sum(), torch.randn(4, 3))
    assert not model[0]._forward_hooks
    assert model[1].training
    assert model[1].state_dict()["num_batches_tracked"] == 0


def test_losses_without_a_graph_are_refused() -> None:
    model = nn.Linear(2, 1)
    with pytest.raises(ValueError, match="without a graph"):
        per_sample_gradient_norms(model, lambda m, x: m(x)[:, 0].detach(), torch.zeros(3, 2))
