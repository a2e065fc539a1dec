"""Measures of many sets of parameters against those of each set alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import stack_module_state
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from dlcc.ensembles import Ensemble
from dlcc.landscape import (
    extreme_eigenvalues,
    extreme_eigenvalues_stacked,
    gradient_density,
    hessian,
    per_sample_gradient_norms,
    per_sample_gradient_norms_stacked,
    per_sample_gradients,
    per_sample_gradients_stacked,
    trace,
    trace_stacked,
)
from dlcc.landscape._engine import stacked_backward
from dlcc.recipes.small_gan.training import Config, make_players
from tests.landscape.oracles import brute_force, squares

DOUBLE = torch.float64
SETS, ROWS = 3, 5
PRECISIONS = [(DOUBLE, 1e-10), (torch.float32, 1e-5)]


class Scaled(nn.Module):
    """With a parameter of its own, and a layer's weight used outside of it."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.full(shape, 1.3))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * torch.tanh(self.inner(x)) @ self.inner.weight


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "fully connected": (
        lambda: nn.Sequential(nn.Linear(4, 6), nn.LeakyReLU(0.2, inplace=True), nn.Linear(6, 2)),
        (4,),
    ),
    "sequences": (lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.LayerNorm(4)), (6, 3)),
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, groups=2),
            nn.BatchNorm2d(4).eval(),
            nn.Tanh(),
            nn.ConvTranspose2d(4, 1, 2, stride=2),
            nn.Flatten(),
            nn.Linear(64, 2),
        ).eval(),
        (2, 6, 6),
    ),
    "used twice": (lambda: nn.Sequential(*[nn.Linear(4, 4), nn.Tanh()] * 2), (4,)),
    "no closed form": (lambda: Scaled(1), (4,)),
    "parametrised": (
        lambda: nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 3)), nn.Tanh()),
        (4,),
    ),
}


def made(kind: str, dtype: torch.dtype = DOUBLE) -> tuple[nn.Module, list[nn.Module], Tensor]:
    """A model, solo models, and a batch [sets, rows, ...]."""
    torch.manual_seed(0)
    make, shape = MODELS[kind]
    torch.manual_seed(1)
    solos = [make().to(dtype) for _ in range(SETS)]
    for solo in solos[1:]:
        solo.load_state_dict({**solo.state_dict(), **dict(solos[0].named_buffers())})
    batch = torch.randn(SETS, ROWS, *shape, dtype=DOUBLE).to(dtype)
    return copy.deepcopy(solos[0]), solos, batch


def stacked(solos: list[nn.Module]) -> dict[str, Tensor]:
    params, _ = stack_module_state(solos)
    return params


def mean(model: nn.Module, batch: Any) -> Tensor:
    return squares(model, batch).mean()


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_gradients_of_rows(
    kind: str, own: bool, dtype: torch.dtype, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stacked_backward, "CHUNK_NUMBERS", 200)
    model, solos, batches = made(kind, dtype)
    given = batches if own else batches[0]
    size = sum(p.numel() for p in model.parameters())
    project = torch.linalg.qr(torch.randn(size, 2, dtype=DOUBLE))[0].to(dtype)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    norms = per_sample_gradient_norms_stacked(
        model, stacked(solos), squares, given, own_batches=own
    )
    projected = per_sample_gradients_stacked(
        model, stacked(solos), squares, given, project=project, own_batches=own
    )
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert not norms.requires_grad
    for k, solo in enumerate(solos):
        rows = batches[k] if own else given
        expected = per_sample_gradient_norms(solo, squares, rows)
        torch.testing.assert_close(norms[k], expected, rtol=tolerance, atol=0)
        expected = per_sample_gradients(solo, squares, rows, project=project)
        torch.testing.assert_close(
            projected[k], expected, rtol=tolerance, atol=tolerance * float(expected.abs().max())
        )
    density = gradient_density(projected)
    alone = gradient_density(projected[1])
    torch.testing.assert_close(density.instability[1], alone.instability)


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("kind", ["fully connected", "convolutions", "no closed form"])
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_curvature(kind: str, own: bool, dtype: torch.dtype, tolerance: float) -> None:
    model, solos, batches = made(kind, dtype)
    given = batches if own else batches[0]
    found = extreme_eigenvalues_stacked(model, stacked(solos), mean, given, own_batches=own)
    traces = trace_stacked(model, stacked(solos), mean, given, own_batches=own, seed=3)
    for k, solo in enumerate(solos):
        rows = batches[k] if own else given
        loss = partial(mean, solo, rows)
        params = list(solo.parameters())
        expected = extreme_eigenvalues(hessian(loss, params))
        scale = max(abs(expected.smallest), abs(expected.largest))
        assert found[k].converged
        assert found[k].products == expected.products
        assert found[k].smallest == pytest.approx(expected.smallest, abs=tolerance * scale)
        assert found[k].largest == pytest.approx(expected.largest, abs=tolerance * scale)
        assert found[k].largest_error == pytest.approx(
            expected.largest_error, abs=10 * tolerance * scale
        )
        of_trace = trace(hessian(loss, params), seed=3)
        assert traces[k].products == of_trace.products
        assert traces[k].value == pytest.approx(of_trace.value, rel=10 * tolerance)
        assert traces[k].error == pytest.approx(of_trace.error, rel=100 * tolerance, abs=1e-9)


def quadratics(spectra: Tensor) -> tuple[nn.Module, dict[str, Tensor], Callable[..., Tensor]]:
    """Sets whose loss has these spectra [sets, size]: Σ w² v / 2, of a batch v [1, size] each."""
    model = nn.Linear(spectra.shape[1], 1, bias=False).double()
    params = {"weight": torch.zeros(len(spectra), 1, spectra.shape[1], dtype=DOUBLE)}

    def loss(net: nn.Module, own: Tensor) -> Tensor:
        assert isinstance(net.weight, Tensor)
        return (net.weight.squeeze(0).square() * own).sum() / 2

    return model, params, loss


def test_a_parameter_that_is_a_number() -> None:
    """Against autograd, row by row."""
    torch.manual_seed(0)
    solos: list[nn.Module] = [Scaled().double() for _ in range(SETS)]
    batch = torch.randn(ROWS, 4, dtype=DOUBLE)
    norms = per_sample_gradient_norms_stacked(solos[0], stacked(solos), squares, batch)
    ends = extreme_eigenvalues_stacked(solos[0], stacked(solos), mean, batch)
    for k, solo in enumerate(solos):
        expected = brute_force(solo, batch).norm(dim=1)
        torch.testing.assert_close(norms[k], expected, rtol=1e-10, atol=0)
        alone = extreme_eigenvalues(hessian(partial(mean, solo, batch), list(solo.parameters())))
        assert ends[k].largest == pytest.approx(alone.largest, rel=1e-10)


def test_ends_of_known_spectra_with_restarts() -> None:
    """StackedModel that converge at different products, one of them at the first."""
    spectra = torch.stack(
        [
            torch.linspace(-2, 5, 150, dtype=DOUBLE),
            torch.full((150,), 3.0, dtype=DOUBLE),
            torch.linspace(-2, 5, 150, dtype=DOUBLE) ** 3,
            torch.zeros(150, dtype=DOUBLE),
        ]
    )
    model, params, loss = quadratics(spectra)
    found = extreme_eigenvalues_stacked(
        model, params, loss, spectra.unsqueeze(1), 1e-8, own_batches=True, vectors=12
    )
    assert all(own.converged for own in found)
    for own, spectrum in zip(found, spectra, strict=True):
        assert own.smallest == pytest.approx(float(spectrum.min()), abs=1e-6)
        assert own.largest == pytest.approx(float(spectrum.max()), abs=1e-6)
    assert len({own.products for own in found}) > 2
    assert found[1].products == found[3].products == 1
    cut = extreme_eigenvalues_stacked(
        model, params, loss, spectra.unsqueeze(1), 1e-8, own_batches=True, vectors=12, products=9
    )
    assert [own.converged for own in cut] == [False, True, False, True]
    assert cut[0].products == 9
    for own, spectrum in zip(cut, spectra, strict=True):
        assert float((spectrum - own.smallest).abs().min()) <= own.smallest_error * (1 + 1e-9)


def test_the_members_of_an_ensemble() -> None:
    ensemble = Ensemble([{"data": "ring", "seed": seed} for seed in range(SETS)], dtype=DOUBLE)
    ensemble.step(0)
    states = [ensemble.member_state(i)["discriminator"] for i in range(SETS)]
    model = make_players(Config.parse({"data": "ring"}))["discriminator"].double()
    params = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    batch = torch.randn(ROWS, 2, dtype=DOUBLE)

    def losses(net: nn.Module, rows: Tensor) -> Tensor:
        return F.softplus(-net(rows)).flatten()

    found = per_sample_gradient_norms_stacked(model, params, losses, batch)
    for k, state in enumerate(states):
        model.load_state_dict(state)
        expected = per_sample_gradient_norms(model, losses, batch)
        torch.testing.assert_close(found[k], expected, rtol=1e-10, atol=0)


def test_some_of_the_parameters_and_the_order_of_names() -> None:
    model, solos, batches = made("fully connected")
    params = stacked(solos)
    some = {name: params[name] for name in ("2.bias", "0.weight")}
    found = per_sample_gradient_norms_stacked(model, some, squares, batches[0])
    swapped = copy.deepcopy(model)
    swapped.load_state_dict({name: p[1] for name, p in some.items()}, strict=False)
    for name, p in swapped.named_parameters():
        p.requires_grad_(name in some)
    expected = per_sample_gradient_norms(swapped, squares, batches[0])
    torch.testing.assert_close(found[1], expected, rtol=1e-10, atol=0)
    assert all(p.requires_grad for p in model.parameters())


def test_every_set_sees_the_same_random_numbers() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1)).double()
    params = stacked([model, model])
    torch.manual_seed(0)
    norms = per_sample_gradient_norms_stacked(
        model, params, squares, torch.randn(ROWS, 4, dtype=DOUBLE)
    )
    assert torch.equal(norms[0], norms[1])


# --- bad input ------------------------------------------------------------------------------------

NET = nn.Linear(2, 1)
WHOLE = {"weight": torch.zeros(3, 1, 2), "bias": torch.zeros(3, 1)}
X = torch.ones(4, 2)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "params is empty; give at least one"),
        ({"wait": X}, "params has 'wait', which is no parameter of the model; it has weight, bias"),
        ({"weight": torch.zeros(1, 2)}, r"weight has the shape \[1, 2\]; expected \[sets, 1, 2\]"),
        ({"bias": torch.zeros(0, 1)}, r"bias has the shape \[0, 1\]; expected \[sets, 1\]"),
        ({**WHOLE, "bias": torch.zeros(2, 1)}, "different numbers of sets: {'weight': 3, 'bias'"),
        ({"bias": torch.zeros(3, 1, dtype=torch.int64)}, "bias is of type torch.int64; expected"),
        ({"bias": torch.tensor([[0.0], [float("nan")], [0.0]])}, "set 1 is not finite; leave"),
        ({"bias": torch.tensor([[float("inf")], [0.0]])}, "loss of set 0 is not finite; leave"),
    ],
)
def test_bad_sets(params: Mapping[str, Tensor], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        per_sample_gradient_norms_stacked(NET, params, squares, X)
    for measure in (extreme_eigenvalues_stacked, trace_stacked):
        with pytest.raises(ValueError, match=words):
            measure(NET, params, mean, X)


def test_bad_losses_batches_and_numbers() -> None:
    for measure in (extreme_eigenvalues_stacked, trace_stacked):
        with pytest.raises(ValueError, match=r"the loss is a tensor \[4\]; expected a scalar"):
            measure(NET, WHOLE, squares, X)
        with pytest.raises(ValueError, match=r"does not depend on params\[1\]"):
            measure(NET, WHOLE, lambda net, x: (x @ net.weight.T).square().sum(), X)
    with pytest.raises(ValueError, match="expected one loss a row"):
        per_sample_gradient_norms_stacked(NET, WHOLE, mean, X)
    with pytest.raises(ValueError, match=r"shape \[4, 2\]; with own_batches, expected \[3, rows"):
        per_sample_gradient_norms_stacked(NET, WHOLE, squares, X, own_batches=True)
    with pytest.raises(ValueError, match=r"project has the shape \[2, 2\]; the model trains 3"):
        per_sample_gradients_stacked(NET, WHOLE, squares, X, project=torch.eye(2))
    with pytest.raises(ValueError, match="tol is 0; expected"):
        extreme_eigenvalues_stacked(NET, WHOLE, mean, X, 0)
    with pytest.raises(ValueError, match="products is 5; expected at least 6"):
        trace_stacked(NET, WHOLE, mean, X, 5)


def test_layers_that_write_to_buffers() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with pytest.raises(ValueError, match=r"layer '1' \(BatchNorm1d\) is in training"):
        per_sample_gradient_norms_stacked(model, {"0.bias": torch.zeros(3, 2)}, squares, X)


def rooted(net: nn.Module) -> Tensor:
    assert isinstance(net.weight, Tensor)
    return net.weight.abs().pow(1.5).sum()


def test_a_second_derivative_that_is_not_finite() -> None:
    params = {"weight": torch.tensor([[[1.0, 1.0]], [[0.0, 1.0]]])}
    with pytest.raises(ValueError, match="matrix of set 1 with a vector is not finite, though its"):
        extreme_eigenvalues_stacked(NET, params, lambda net, x: rooted(net), X)
