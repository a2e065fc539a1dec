"""Closed forms of every kind of layer, of any shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrizations, parametrize

from dlcc.landscape import (
    gradient_noise,
    per_sample_gradient_norms,
)
from tests.landscape.oracles import assert_right, brute_force, close, head, squares

pytestmark = pytest.mark.usefixtures("double")


CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


@settings(max_examples=25, deadline=None)
@given(
    dims=st.sampled_from([1, 2, 3]),
    groups=st.sampled_from([1, 2]),
    per_group=st.integers(1, 3),
    out_per_group=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.integers(0, 2),
    bias=st.booleans(),
    extra=st.integers(0, 4),
    mode=st.sampled_from(["zeros", "reflect", "circular", "replicate"]),
)
def test_convolutions_of_any_shape(
    dims: int,
    groups: int,
    per_group: int,
    out_per_group: int,
    kernel: int,
    stride: int,
    dilation: int,
    padding: int,
    bias: bool,
    extra: int,
    mode: Any,
) -> None:
    size = max(dilation * (kernel - 1) + 1, padding + 1) + extra
    batch = torch.randn(3, groups * per_group, *[size] * dims)
    layer = CONVOLUTIONS[dims](
        groups * per_group,
        groups * out_per_group,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
        padding_mode=mode,
    )
    assert_right(head(layer, batch), batch)


@settings(max_examples=25, deadline=None)
@given(
    dims=st.sampled_from([1, 2, 3]),
    groups=st.sampled_from([1, 2]),
    per_group=st.integers(1, 3),
    out_per_group=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.integers(0, 1),
    bias=st.booleans(),
    size=st.integers(2, 4),
    more=st.integers(0, 1),
)
def test_transposed_convolutions_of_any_shape(
    dims: int,
    groups: int,
    per_group: int,
    out_per_group: int,
    kernel: int,
    stride: int,
    dilation: int,
    padding: int,
    bias: bool,
    size: int,
    more: int,
) -> None:
    out = (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
    assume(out >= 1)
    batch = torch.randn(3, groups * per_group, *[size] * dims)
    layer = TRANSPOSED[dims](
        groups * per_group,
        groups * out_per_group,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
        output_padding=min(more, max(stride, dilation) - 1),
    )
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
}


@pytest.mark.parametrize("kind", NORMALISATIONS)
@pytest.mark.parametrize("training", [True, False])
def test_normalisations(kind: str, training: bool) -> None:
    layer = NORMALISATIONS[kind]()
    for p in layer.parameters():
        nn.init.uniform_(p, 0.5, 2)
    batch = torch.randn(3, 4, 5, 6)
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
        wrap(nn.Conv2d(2, 4, 3)),
        nn.Tanh(),
        wrap(nn.ConvTranspose2d(4, 3, 2)),
        nn.Flatten(),
        wrap(nn.Linear(75, 3)),
    ).train(training)
    assert parametrize.is_parametrized(model[0])
    assert_right(model, torch.randn(3, 2, 6, 6))
