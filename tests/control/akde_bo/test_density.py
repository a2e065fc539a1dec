"""The study's equations, against derivatives by autograd; their sign, and where they underflow."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dlcc.control.akde_bo.density import (
    mean_instability,
    plain_bandwidth,
    plain_density,
    plain_instability,
)
from dlcc.landscape.density import instability


@pytest.mark.parametrize("d", [1, 2])
def test_instability_is_minus_the_second_derivative_of_the_density(d: int) -> None:
    torch.manual_seed(d)
    gradients = torch.randn(20, d, dtype=torch.float64)
    h = plain_bandwidth(gradients)
    for v in torch.randn(5, d, dtype=torch.float64):
        hessian = torch.autograd.functional.hessian(
            lambda at: plain_density(at[None], gradients, h)[0], v
        )
        ours = plain_instability(v[None], gradients, h)[0]
        assert ours.item() == pytest.approx(-hessian.diagonal().sum().item(), rel=1e-9, abs=1e-14)


def test_the_bandwidth_is_numpys_interquartile_range_times_105() -> None:
    gradients = torch.randn(33, 3, dtype=torch.float64)
    low, high = np.quantile(gradients.numpy(), [0.25, 0.75], axis=0)
    assert np.allclose(plain_bandwidth(gradients).numpy(), 1.05 * (high - low))


def test_the_projected_form_is_the_plain_one_in_units_of_the_bandwidth() -> None:
    torch.manual_seed(0)
    z = torch.randn(16, 2, dtype=torch.float64)
    h = torch.ones(2, dtype=torch.float64)
    plain = plain_instability(z, z, h) * 2 * torch.pi  # without the kernel's constant
    assert torch.allclose(instability(z, h=h).value, plain)


def test_it_underflows_in_many_dimensions_and_not_in_projection() -> None:
    torch.manual_seed(0)
    gradients = torch.randn(32, 1569, requires_grad=True)
    plain = mean_instability(gradients, plain=True)
    assert plain.item() == 0
    (slope,) = torch.autograd.grad(plain, gradients)
    assert not slope.any()
    projected = gradients @ torch.linalg.qr(torch.randn(1569, 4)).Q
    value = mean_instability(projected)
    (slope,) = torch.autograd.grad(value, gradients)
    assert value > 0
    assert slope.any()


def test_its_sign_drives_gradients_apart() -> None:
    """I is largest where gradients lie dense: going down it lowers density."""
    torch.manual_seed(0)
    z = torch.randn(64, 2, dtype=torch.float64)
    at = instability(z).value
    far = (z - z.median(dim=0).values).norm(dim=1)
    assert np.corrcoef(at.numpy(), far.numpy())[0, 1] < -0.8
    moving = z.clone().requires_grad_()
    h = plain_bandwidth(z)  # held: the width must not follow
    for _ in range(20):
        value = plain_instability(moving, moving, h).mean()
        (slope,) = torch.autograd.grad(value, moving)
        with torch.no_grad():
            moving -= 5.0 * slope
    assert moving.detach().var(dim=0).sum() > z.var(dim=0).sum() * 1.05


def test_gradients_that_agree_make_no_infinite_penalty() -> None:
    assert torch.isfinite(mean_instability(torch.ones(8, 3), plain=True))
    assert torch.isfinite(mean_instability(torch.ones(8, 3)))
