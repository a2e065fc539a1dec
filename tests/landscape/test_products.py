"""Products by another library, and their derivatives, against torch's own."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import grad, vmap
from torch.nn import functional as F

from dlcc.landscape import hessian
from dlcc.landscape.products import QuickLinear, by_transposed, is_large


def near(found: Tensor, expected: Tensor) -> None:
    assert float((found - expected).abs().max()) <= 1e-5 * float(expected.abs().max())


def test_products_of_any_layout() -> None:
    torch.manual_seed(0)
    a, b, bias = torch.randn(96, 128), torch.randn(160, 128), torch.randn(160)
    for x in (a, a.T.contiguous().T):
        for y in (b, b.T.contiguous().T):
            near(by_transposed(x, y), a @ b.T)
            near(by_transposed(x, y, bias), a @ b.T + bias)


def test_curvature_through_large_linear_maps() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(128, 160), nn.Tanh(), nn.Linear(160, 160, bias=False), nn.Softplus(),
        nn.Linear(160, 1),
    )  # fmt: skip
    x = torch.randn(96, 128)
    large = is_large(x, next(model.parameters()))
    assert large is hasattr(torch.ops.mkldnn, "_linear_pointwise")
    vector = torch.randn(sum(p.numel() for p in model.parameters()))
    found = hessian(lambda: model(x).square().mean(), list(model.parameters())).times(vector)
    model, x = model.double(), x.double()
    exact = hessian(lambda: model(x).square().mean(), list(model.parameters()))
    near(found, exact.times(vector.double()).float())


def test_any_derivative_of_a_quick_linear_map() -> None:
    """By autograd three times over, and by torch.func."""
    torch.manual_seed(0)
    x, weight = torch.randn(96, 128), torch.randn(160, 128) / 10
    bias = torch.randn(160)

    def loss(w: Tensor, rows: Tensor) -> Tensor:
        return torch.tanh(F.linear(torch.sin(rows), w, bias)).square().sum()

    def third(w: Tensor) -> Tensor:
        w, rows = w.clone().requires_grad_(), x.clone().requires_grad_()
        first, _ = torch.autograd.grad(loss(w, rows), [w, rows], create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), w, create_graph=True)
        return torch.autograd.grad(second.square().sum(), rows)[0]

    expected = third(weight), grad(loss)(weight, x)
    by_row = vmap(lambda row: loss(weight, row[None]))(x)
    with QuickLinear():
        near(third(weight), expected[0])
        near(grad(loss)(weight, x), expected[1])
        near(vmap(lambda row: loss(weight, row[None]))(x), by_row)
