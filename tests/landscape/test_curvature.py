"""Curvature against dense Hessians."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from dlcc.landscape import (
    LinearOperator,
    extreme_eigenvalues,
    gauss_newton,
    hessian,
    spectral_density,
    trace,
)
from dlcc.landscape._engine.vectors import flatten, unflatten

DOUBLE = torch.float64


def net(*widths: int, dtype: torch.dtype = DOUBLE, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.Tanh()]
    return nn.Sequential(*layers[:-1]).to(dtype)


def task(model: nn.Module, n: int = 12, seed: int = 1) -> tuple[Callable[[], Tensor], Tensor]:
    """A loss of the model on drawn rows, and the rows."""
    first = next(model.parameters())
    drawn = torch.Generator().manual_seed(seed)
    x = torch.randn(n, first.shape[1], generator=drawn, dtype=DOUBLE).to(first)
    return lambda: objective(model(x)), x


def objective(out: Tensor) -> Tensor:
    """A loss of outputs that none of their derivatives are constant in."""
    return F.softplus(-out).mean() + 0.1 * out.square().mean()


def dense_hessian(model: nn.Module, x: Tensor) -> Tensor:
    """All of it, forward over reverse."""
    params = {name: p.detach() for name, p in model.named_parameters()}
    shapes = list(params.values())

    def of(vector: Tensor) -> Tensor:
        named = dict(zip(params, unflatten(vector, shapes), strict=True))
        loss: Tensor = objective(functional_call(model, named, (x,)))
        return loss

    found: Tensor = torch.func.hessian(of)(flatten(shapes, shapes))
    return found


def operator_of(matrix: Tensor) -> LinearOperator:
    return LinearOperator(len(matrix), matrix, lambda v: matrix @ v)


def symmetric(values: Any, seed: int = 0) -> Tensor:
    """A matrix of known eigenvalues."""
    spectrum = torch.as_tensor(values, dtype=DOUBLE)
    drawn = torch.Generator().manual_seed(seed)
    turned, _ = torch.linalg.qr(
        torch.randn(len(spectrum), len(spectrum), generator=drawn, dtype=DOUBLE)
    )
    found: Tensor = turned * spectrum @ turned.T
    return found


# --- products -------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(widths=st.lists(st.integers(1, 4), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_the_hessian_of_any_net(widths: list[int], seed: int) -> None:
    model = net(*widths, seed=seed)
    loss, x = task(model)
    whole = dense_hessian(model, x)
    operator = hessian(loss, list(model.parameters()))
    found = operator.matmat(torch.eye(operator.size, dtype=DOUBLE))
    torch.testing.assert_close(found, whole, rtol=1e-10, atol=1e-10)


def test_a_players_own_hessian_leaves_the_other_out() -> None:
    x = torch.tensor([0.5, -1.0], dtype=DOUBLE, requires_grad=True)
    y = torch.tensor([2.0], dtype=DOUBLE, requires_grad=True)

    def loss() -> Tensor:
        return (x.pow(3).sum() * y.square()).sum()

    own = hessian(loss, [x])
    assert torch.equal(own.matmat(torch.eye(2, dtype=DOUBLE)), torch.diag(24 * x.detach()))
    found = extreme_eigenvalues(hessian(loss, [x]))
    assert (found.smallest, found.largest) == pytest.approx((-24, 12))
    other = extreme_eigenvalues(hessian(loss, [y]))
    assert other.smallest == other.largest == pytest.approx(2 * (0.125 - 1))


def test_gauss_newton_is_the_product_of_its_parts() -> None:
    model = net(3, 4, 2)
    _, x = task(model)
    params = list(model.parameters())
    target = torch.tensor([0, 1, 1, 0] * 3)

    def loss_of(out: Tensor) -> Tensor:
        return F.cross_entropy(out, target)

    operator = gauss_newton(lambda: model(x), loss_of, params)
    out = model(x)
    rows = [torch.autograd.grad(v, params, retain_graph=True) for v in out.flatten()]
    jacobian = torch.stack([flatten(row, params) for row in rows])
    inner = torch.autograd.functional.hessian(  # type: ignore[no-untyped-call]
        loss_of, out.detach()
    ).reshape(24, 24)
    found = operator.matmat(torch.eye(operator.size, dtype=DOUBLE))
    torch.testing.assert_close(found, jacobian.T @ inner @ jacobian, rtol=1e-10, atol=1e-12)
    assert extreme_eigenvalues(operator).smallest >= -1e-12


def test_gauss_newton_of_a_loss_that_is_linear_in_the_outputs_is_0() -> None:
    model = net(3, 2)
    _, x = task(model)
    operator = gauss_newton(lambda: model(x), lambda out: out.mean(), list(model.parameters()))
    found = extreme_eigenvalues(operator)
    assert (found.smallest, found.largest, found.converged) == (0, 0, True)


def test_parameters_in_which_the_loss_is_linear() -> None:
    w = torch.ones(3, dtype=DOUBLE, requires_grad=True)
    b = torch.ones(1, dtype=DOUBLE, requires_grad=True)
    found = extreme_eigenvalues(hessian(lambda: w.square().sum() + b.sum(), [w, b]))
    assert (found.smallest, found.largest) == pytest.approx((0, 2), abs=1e-12)
    flat = extreme_eigenvalues(hessian(lambda: b.sum(), [b]))
    assert (flat.smallest, flat.largest, flat.smallest_error) == (0, 0, 0)


# --- extreme eigenvalues --------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(
        st.floats(-10, 10).filter(lambda v: v == 0 or abs(v) > 1e-3), min_size=1, max_size=30
    ),
    vectors=st.integers(6, 12),
    seed=st.integers(0, 99),
)
def test_known_spectra_with_few_vectors(values: list[float], vectors: int, seed: int) -> None:
    operator = operator_of(symmetric(values, seed))
    found = extreme_eigenvalues(operator, 1e-9, seed=seed, products=3_000, vectors=vectors)
    size = max(map(abs, values))
    assert found.converged
    assert abs(found.smallest - min(values)) <= 1e-6 * size + 1e-12
    assert abs(found.largest - max(values)) <= 1e-6 * size + 1e-12


@pytest.mark.parametrize(("dtype", "tolerance"), [(DOUBLE, 1e-10), (torch.float32, 1e-5)])
def test_the_ends_of_a_net(dtype: torch.dtype, tolerance: float) -> None:
    model = net(4, 8, 6, 1)
    loss, x = task(model)
    whole = dense_hessian(model, x)
    exact = np.linalg.eigvalsh(whole.numpy())
    loss, _ = task(model.to(dtype))
    found = extreme_eigenvalues(hessian(loss, list(model.parameters())), 1e-6)
    size = np.abs(exact).max()
    assert found.converged
    assert abs(found.smallest - exact[0]) <= tolerance * size
    assert abs(found.largest - exact[-1]) <= tolerance * size


def test_quadratics_of_a_known_spectrum() -> None:
    values = np.linspace(-2, 5, 300)
    matrix = symmetric(values)
    theta = torch.randn(300, dtype=DOUBLE, requires_grad=True)
    found = extreme_eigenvalues(
        hessian(lambda: theta @ matrix @ theta / 2, [theta]), 1e-8, vectors=20
    )
    assert found.converged
    assert found.smallest == pytest.approx(-2, abs=1e-6)
    assert found.largest == pytest.approx(5, abs=1e-6)


@pytest.mark.parametrize("products", [5, 12, 40])
def test_an_eigenvalue_lies_within_the_error_converged_or_not(products: int) -> None:
    values = np.concatenate([np.linspace(-1, 1, 200), [1.3]])
    operator = operator_of(symmetric(values))
    for seed in range(10):
        found = extreme_eigenvalues(operator, 1e-10, products=products, vectors=8, seed=seed)
        assert found.products == products
        assert not found.converged
        for value, error in (
            (found.smallest, found.smallest_error),
            (found.largest, found.largest_error),
        ):
            assert np.abs(values - value).min() <= error * (1 + 1e-9)


def test_a_seed_gives_the_same_every_time() -> None:
    model = net(3, 5, 1)
    loss, _ = task(model)
    params = list(model.parameters())
    random_state = torch.get_rng_state()
    assert extreme_eigenvalues(hessian(loss, params), seed=3) == extreme_eigenvalues(
        hessian(loss, params), seed=3
    )
    operator = hessian(loss, params)
    assert trace(operator, seed=3) == trace(operator, seed=3)
    assert trace(operator, 6, seed=3) != trace(operator, 6, seed=4)
    a, b = (spectral_density(operator, steps=5, seed=3) for _ in range(2))
    assert np.array_equal(a.nodes, b.nodes)
    assert np.array_equal(a.weights, b.weights)
    assert torch.equal(torch.get_rng_state(), random_state)


# --- trace and density ----------------------------------------------------------------------------


def test_the_trace_is_unbiased_within_its_error() -> None:
    values = np.concatenate([np.linspace(-1, 2, 58), [8.0, 20.0]])
    operator = operator_of(symmetric(values))
    found = [trace(operator, 18, seed=seed) for seed in range(100)]
    off = np.array([t.value for t in found]) - values.sum()
    stated = np.sqrt(np.mean([t.error**2 for t in found]))
    assert abs(off.mean()) <= 3 * off.std() / 10
    assert 0.7 <= off.std() / stated <= 1.4
    assert all(t.products == 18 for t in found)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_trace_of_few_parameters_is_exact(size: int) -> None:
    values = np.arange(size) - 1.5
    found = trace(operator_of(symmetric(values)), 30)
    assert found.value == pytest.approx(values.sum(), abs=1e-12)
    assert found.error == 0


def test_the_density_of_a_net_of_2000_parameters() -> None:
    """Against all of its eigenvalues: within 1 % of their range."""
    model = net(10, 40, 38, 1)
    loss, x = task(model, 40)
    params = list(model.parameters())
    operator = hessian(loss, params)
    assert 1900 < operator.size < 2100
    exact = np.linalg.eigvalsh(dense_hessian(model, x).numpy())
    found = spectral_density(operator)
    off = wasserstein_distance(exact, found.nodes, None, found.weights)
    assert off <= 0.01 * (exact[-1] - exact[0])
    assert off <= 3 * found.error
    assert found.weights.sum() == pytest.approx(1)
    assert (np.diff(found.nodes) >= 0).all()


def test_the_density_is_unbiased_and_its_error_covers_what_it_is_off() -> None:
    values = np.concatenate([np.linspace(-1, 1, 90), np.linspace(4, 5, 10)])
    operator = operator_of(symmetric(values))
    moments, off, stated = [], [], []
    for seed in range(100):
        found = spectral_density(operator, probes=4, steps=25, seed=seed)
        moments.append((found.nodes**2 * found.weights).sum())
        off.append(wasserstein_distance(values, found.nodes, None, found.weights))
        stated.append(found.error)
    spread = np.std(moments)
    assert abs(np.mean(moments) - (values**2).mean()) <= 3 * spread / 10
    assert np.mean(off) <= 2 * np.mean(stated)


# --- bad input ------------------------------------------------------------------------------------


def weight(*shape: int, device: str = "cpu") -> Tensor:
    return torch.ones(*shape, device=device, requires_grad=True)


W = weight(2)
BAD: list[tuple[Callable[[], Any], list[Tensor], str]] = [
    (lambda: W.square(), [W], r"the loss is a tensor \[2\] of torch.float32; expected a scalar"),
    (lambda: 1.0, [W], "the loss is float 1.0; expected a scalar tensor: take"),
    (lambda: (W.sum(), W), [W], "the loss is tuple of 2; expected a scalar tensor"),
    (lambda: W.sum(), [0.5], r"params\[0\] is float 0.5; expected a tensor"),
    (lambda: W.sum() * float("nan"), [W], "the loss is nan; measure before"),
    (lambda: W.sum() / 0, [W], "the loss is inf; measure before"),
    (lambda: W.square().sum(), [], "params is empty"),
    (lambda: W.square().sum(), [W, torch.ones(3)], r"params\[1\] of shape \[3\] does not require"),
    (lambda: W.square().sum(), [W, weight(1, 3)], r"does not depend on params\[1\] of shape \[1,"),
    (lambda: torch.tensor(1.0), [W], r"does not depend on params\[0\] of shape \[2\]"),
    (lambda: W.square().sum(), [W, weight(3, device="meta")], "params lie on cpu, meta; move"),
    (lambda: W.square().sum(), [weight(3, device="meta")], "params lie on meta, which holds no"),
]


@pytest.mark.parametrize(("loss", "params", "words"), BAD)
def test_bad_losses_and_parameters(
    loss: Callable[[], Any], params: list[Tensor], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        extreme_eigenvalues(hessian(loss, params))
    of_outputs = words.replace("the loss is", "(the loss is|outputs gave)").partition("; ")[0]
    with pytest.raises(ValueError, match=of_outputs):
        gauss_newton(lambda: loss(), lambda out: out, params)


def test_devices_are_checked_before_the_loss_is_called() -> None:
    def loss() -> Tensor:
        raise AssertionError("called")

    with pytest.raises(ValueError, match="cpu, meta"):
        extreme_eigenvalues(hessian(loss, [W, weight(1, device="meta")]))


def test_a_second_derivative_that_is_not_finite() -> None:
    w = torch.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match="not finite, though the loss is"):
        extreme_eigenvalues(hessian(lambda: w.abs().pow(1.5).sum() + (w * w).sum(), [w]))


@pytest.mark.parametrize("tol", [0.0, -1.0, float("nan")])
def test_a_tolerance_that_is_none(tol: float) -> None:
    with pytest.raises(ValueError, match=f"tol is {tol}"):
        extreme_eigenvalues(hessian(lambda: W.square().sum(), [W]), tol)


def test_too_few_products_and_probes() -> None:
    operator = hessian(lambda: W.square().sum(), [W])
    with pytest.raises(ValueError, match="products is 5; expected at least 6"):
        trace(operator, 5)
    with pytest.raises(ValueError, match="probes is 1; expected at least 2"):
        spectral_density(operator, probes=1)


def test_what_is_no_closure_vector_or_parameter_is_told() -> None:
    x = torch.ones(3, requires_grad=True)
    operator = hessian(lambda: x.pow(3).sum(), [x])
    with pytest.raises(ValueError, match=r"the vector has the shape \[7\]; expected \[3\]"):
        operator.matvec(torch.ones(7))
    with pytest.raises(ValueError, match=r"shape \[2\]; expected \[3\]"):
        operator.matmat(torch.ones(2, 4))
    with pytest.raises(ValueError, match=r"the loss is .*; expected a function without arguments"):
        hessian(x.sum(), [x])
    with pytest.raises(ValueError, match=r"params is .*Linear.*list\(model.parameters\(\)\)"):
        hessian(lambda: x.sum(), torch.nn.Linear(1, 1))
