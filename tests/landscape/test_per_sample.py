"""Gradients of rows against autograd, one row at a time, in double precision."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrizations, parametrize

from dlcc.landscape import (
    gradient_noise,
    per_layer_gradient_norms,
    per_sample_gradient_norms,
    per_sample_gradients,
)
from dlcc.landscape import rows as row_gradients

DOUBLE = torch.float64


@pytest.fixture(autouse=True)
def _double() -> Iterator[None]:
    torch.manual_seed(0)
    torch.set_default_dtype(DOUBLE)
    yield
    torch.set_default_dtype(torch.float32)


def squares(model: nn.Module, batch: Any) -> Tensor:
    """A loss a row that every output counts in."""
    out = model(batch)
    flat = out.flatten(1)
    weights = torch.arange(1, flat.shape[1] + 1, dtype=out.dtype).sqrt()
    losses: Tensor = ((flat - 0.3) * weights).square().sum(dim=1)
    return losses


def brute_force(
    model: nn.Module, batch: Any, loss: Callable[[nn.Module, Any], Tensor] = squares
) -> Tensor:
    """Every row's whole gradient [n, parameters], from n passes back."""
    trained = [p for p in model.parameters() if p.requires_grad]
    rows = []
    for value in loss(model, batch):
        slopes = torch.autograd.grad(value, trained, retain_graph=True, allow_unused=True)
        parts = [
            torch.zeros_like(p) if g is None else g for g, p in zip(slopes, trained, strict=True)
        ]
        rows.append(torch.cat([part.flatten() for part in parts]))
    return torch.stack(rows).detach()


def assert_right(model: nn.Module, batch: Any, tolerance: float = 1e-10) -> None:
    """Norms, projections and noise against brute force; the model stays as it was."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    norms = per_sample_gradient_norms(model, squares, batch)
    size = sum(p.numel() for p in model.parameters() if p.requires_grad)
    directions = torch.randn(size, 3, generator=torch.Generator().manual_seed(1))
    projected = per_sample_gradients(model, squares, batch, project=directions)
    noise = gradient_noise(model, squares, batch)
    assert torch.equal(torch.get_rng_state(), random_state)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name

    expected = brute_force(model, batch)
    close(norms, expected.norm(dim=1), tolerance)
    close(projected, expected @ directions, tolerance)
    close(noise.norms, expected.norm(dim=1), tolerance)
    scatter = (expected - expected.mean(dim=0)).square().sum() / (len(expected) - 1)
    assert noise.trace == pytest.approx(scatter.item(), rel=10 * tolerance)
    assert noise.mean_norm == pytest.approx(expected.mean(dim=0).norm().item(), rel=tolerance)


def close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    scale = float(expected.abs().max())
    assert not found.requires_grad
    assert float((found - expected).abs().max()) <= tolerance * max(scale, 1e-300)


def head(body: nn.Module, batch: Tensor) -> nn.Sequential:
    """A body, an activation in place, and a linear map: the body's slopes are not constant."""
    width = body(batch).flatten(1).shape[1]
    return nn.Sequential(body, nn.LeakyReLU(0.2, inplace=True), nn.Flatten(), nn.Linear(width, 2))


# --- every kind of layer --------------------------------------------------------------------------

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


@settings(max_examples=25, deadline=None)
@given(
    dims=st.sampled_from([1, 2, 3]), groups=st.sampled_from([1, 2]), per_group=st.integers(1, 3),
    out_per_group=st.integers(1, 3), kernel=st.integers(1, 3), stride=st.integers(1, 3),
    dilation=st.integers(1, 2), padding=st.integers(0, 2), bias=st.booleans(),
    extra=st.integers(0, 4), mode=st.sampled_from(["zeros", "reflect", "circular", "replicate"]),
)  # fmt: skip
def test_convolutions_of_any_shape(
    dims: int, groups: int, per_group: int, out_per_group: int, kernel: int, stride: int,
    dilation: int, padding: int, bias: bool, extra: int, mode: Any,
) -> None:  # fmt: skip
    size = max(dilation * (kernel - 1) + 1, padding + 1) + extra
    batch = torch.randn(3, groups * per_group, *[size] * dims)
    layer = CONVOLUTIONS[dims](
        groups * per_group, groups * out_per_group, kernel, stride=stride, padding=padding,
        dilation=dilation, groups=groups, bias=bias, padding_mode=mode,
    )  # fmt: skip
    assert_right(head(layer, batch), batch)


@settings(max_examples=25, deadline=None)
@given(
    dims=st.sampled_from([1, 2, 3]), groups=st.sampled_from([1, 2]), per_group=st.integers(1, 3),
    out_per_group=st.integers(1, 3), kernel=st.integers(1, 3), stride=st.integers(1, 3),
    dilation=st.integers(1, 2), padding=st.integers(0, 1), bias=st.booleans(),
    size=st.integers(2, 4), more=st.integers(0, 1),
)  # fmt: skip
def test_transposed_convolutions_of_any_shape(
    dims: int, groups: int, per_group: int, out_per_group: int, kernel: int, stride: int,
    dilation: int, padding: int, bias: bool, size: int, more: int,
) -> None:  # fmt: skip
    out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
    assume(out >= 1)
    batch = torch.randn(3, groups * per_group, *[size] * dims)
    layer = TRANSPOSED[dims](
        groups * per_group, groups * out_per_group, kernel, stride=stride, padding=padding,
        dilation=dilation, groups=groups, bias=bias,
        output_padding=min(more, max(stride, dilation) - 1),
    )  # fmt: skip
    assert_right(head(layer, batch), batch)


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # slower, says torch
@pytest.mark.parametrize("kernel", [2, 3, 4])
def test_padding_by_name_is_right_where_it_is_lopsided(kernel: int) -> None:
    batch = torch.randn(3, 2, 7, 6)
    assert_right(head(nn.Conv2d(2, 3, kernel, padding="same"), batch), batch)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.booleans(), st.integers(0, 2))
def test_linear_maps_over_any_number_of_places(
    n: int, fan_in: int, fan_out: int, bias: bool, more: int
) -> None:
    batch = torch.randn(n + 1, *range(2, 2 + more), fan_in)
    assert_right(nn.Sequential(nn.Linear(fan_in, fan_out, bias=bias), nn.Tanh()), batch)


NORMALISATIONS: dict[str, Callable[[], nn.Module]] = {
    "layer": lambda: nn.LayerNorm([4, 5, 6]),
    "layer, last only": lambda: nn.LayerNorm(6),
    "layer without bias": lambda: nn.LayerNorm(6, bias=False),
    "group": lambda: nn.GroupNorm(2, 4),
    "instance": lambda: nn.InstanceNorm2d(4, affine=True),
    "instance, tracking": lambda: nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
    "batch, no scale": lambda: nn.BatchNorm2d(4, affine=False),
}


@pytest.mark.parametrize("kind", NORMALISATIONS)
@pytest.mark.parametrize("training", [True, False])
def test_normalisations(kind: str, training: bool) -> None:
    layer = NORMALISATIONS[kind]()
    for p in layer.parameters():
        nn.init.uniform_(p, 0.5, 2)
    batch = torch.randn(3, 4, 5, 6)
    if "batch" in kind and training:
        pytest.skip("couples the rows: measured apart")
    model = nn.Sequential(nn.Conv2d(4, 4, 1), layer, nn.Tanh()).train(training)
    assert_right(model, batch)


@pytest.mark.parametrize("kind", [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d])
def test_batch_normalisation_in_evaluation(kind: type[_BatchNorm]) -> None:
    dims = [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d].index(kind) + 1
    layer = kind(3)
    layer.running_mean = torch.randn(3)
    layer.running_var = torch.rand(3) + 0.5
    batch = torch.randn(4, 2, *[4] * dims)
    body = CONVOLUTIONS[dims](2, 3, 2)
    assert_right(nn.Sequential(body, layer, nn.Tanh()).eval(), batch)


def test_batch_normalisation_in_training_is_measured_with_its_statistics_held() -> None:
    layer = nn.BatchNorm1d(5)
    model = nn.Sequential(nn.Linear(4, 5), layer, nn.Tanh(), nn.PReLU())
    batch = torch.randn(6, 4)
    hidden = model[0](batch).detach()
    held = nn.BatchNorm1d(5).eval()
    held.running_mean, held.running_var = hidden.mean(dim=0), hidden.var(dim=0, correction=0)
    fixed = nn.Sequential(model[0], held, nn.Tanh(), model[3])
    with pytest.warns(UserWarning, match=r"batch normalisation in training \(1\) couples"):
        norms = per_sample_gradient_norms(model, squares, batch)
    close(norms, brute_force(fixed, batch).norm(dim=1), 1e-10)
    assert gradient_noise(model, squares, batch).frozen == ("1",)
    assert layer.training
    assert layer.state_dict()["num_batches_tracked"] == 0
    assert torch.equal(layer.state_dict()["running_mean"], torch.zeros(5))


@pytest.mark.parametrize("padding", [None, 0])
def test_embeddings(padding: int | None) -> None:
    model = nn.Sequential(nn.Embedding(7, 5, padding_idx=padding), nn.Tanh(), nn.Linear(5, 2))
    assert_right(model, torch.randint(0, 7, (4, 6)))


@pytest.mark.parametrize(
    "wrap",
    [parametrizations.spectral_norm, parametrizations.weight_norm],
    ids=["spectral", "weight"],
)
@pytest.mark.parametrize("training", [True, False])
def test_parametrised_layers(wrap: Callable[..., nn.Module], training: bool) -> None:
    model = nn.Sequential(
        wrap(nn.Conv2d(2, 4, 3)), nn.Tanh(), wrap(nn.ConvTranspose2d(4, 3, 2)), nn.Flatten(),
        wrap(nn.Linear(75, 3)),
    ).train(training)  # fmt: skip
    assert parametrize.is_parametrized(model[0])
    assert_right(model, torch.randn(3, 2, 6, 6))


# --- sharing, and what has no closed form ---------------------------------------------------------


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
        slopes = torch.autograd.grad(loss, list(model.parameters()))
        expected.append(torch.cat([s.flatten() for s in slopes]).norm())
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


def test_a_gradient_penalty_is_refused() -> None:
    def penalised(model: nn.Module, batch: Tensor) -> Tensor:
        x = batch.clone().requires_grad_()
        out = model(x).squeeze(1)
        (slopes,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        return out + 10 * slopes.square().sum(dim=1)

    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    with pytest.raises(ValueError, match="without the penalty"):
        per_sample_gradient_norms(model, penalised, torch.randn(5, 3))


def test_layers_that_nobody_knows_go_through_vmap() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 3), nn.PReLU(3), nn.Tanh())
    assert_right(model, torch.randn(5, 4))


def test_a_transformer() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
    assert_right(layer, torch.randn(3, 4, 8))


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
        monkeypatch.setattr(row_gradients, "_GRAM_COST", cost)
        for chunk in (1, 100, 1 << 22):
            monkeypatch.setattr(row_gradients, "_CHUNK", chunk)
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
        (lambda m, b: m(b).sum(), r"shape \[\]; expected one loss a row, \[4\]"),
        (lambda m, b: m(b), r"shape \[4, 2\]; expected one loss a row"),
        (lambda m, b: m(b)[:3].sum(1), "3 losses for a batch of 4 rows"),
        (lambda m, b: m(b).sum(1) / 0, "4 of 4 losses are not finite"),
        (lambda m, b: 1.0, "gave float, expected a tensor"),
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
    with pytest.raises(ValueError, match="shape"), warnings.catch_warnings():
        per_sample_gradient_norms(model, lambda m, b: m(b).sum(), torch.randn(4, 3))
    assert not model[0]._forward_hooks
    assert model[1].training
    assert model[1].state_dict()["num_batches_tracked"] == 0
