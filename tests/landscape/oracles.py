"""Gradients of rows by autograd, one row at a time, and what is held against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcc.landscape import (
    gradient_noise,
    per_sample,
    per_sample_gradient_norms,
    per_sample_gradients,
)


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
        gradients = torch.autograd.grad(value, trained, retain_graph=True, allow_unused=True)
        parts = [
            torch.zeros_like(p) if g is None else g for g, p in zip(gradients, trained, strict=True)
        ]
        rows.append(torch.cat([part.flatten() for part in parts]))
    return torch.stack(rows).detach()


def assert_right(model: nn.Module, batch: Any, tolerance: float = 1e-10) -> None:
    """Norms, projections and noise against brute force, with the gradients at once and by parts;
    the model stays as it was."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    expected = brute_force(model, batch)
    torch.set_rng_state(random_state)
    model.load_state_dict(before)  # what a pass in training wrote
    with pytest.MonkeyPatch.context() as patch:
        _assert_right(model, batch, expected, tolerance)
        patch.setattr(per_sample, "NUMBERS_AT_ONCE", 0)
        _assert_right(model, batch, expected, tolerance)
    assert torch.equal(torch.get_rng_state(), random_state)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def _assert_right(model: nn.Module, batch: Any, expected: Tensor, tolerance: float) -> None:
    norms = per_sample_gradient_norms(model, squares, batch)
    directions = torch.randn(expected.shape[1], 3, generator=torch.Generator().manual_seed(1))
    projected = per_sample_gradients(model, squares, batch, project=directions)
    noise = gradient_noise(model, squares, batch)
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
    """A body, an activation in place and a linear map: no gradient at the body is constant."""
    width = body(batch).flatten(1).shape[1]
    return nn.Sequential(body, nn.LeakyReLU(0.2, inplace=True), nn.Flatten(), nn.Linear(width, 2))
