"""Terms of autoencoders' losses against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from dlcc.metrics import information_rate as rate_at
from dlcc.recipes.latents import Latents, divergence, information_rate, latent_penalty, like


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """The same random numbers in each test."""
    torch.manual_seed(0)


def test_the_divergence_is_that_of_torchs_distributions() -> None:
    mean, log_variance = torch.randn(7, 3), torch.randn(7, 3)
    fits = Normal(mean, (log_variance / 2).exp())
    expected = kl_divergence(fits, Normal(0.0, 1.0)).sum(dim=1).mean()
    assert torch.isclose(divergence(Latents(mean, log_variance)), expected)


def test_nothing_is_asked_of_latents_as_they_should_be() -> None:
    assert float(divergence(Latents(torch.zeros(4, 2), torch.zeros(4, 2)))) == 0
    plain = torch.tensor([[-1.0], [1.0]]) / math.sqrt(2)  # mean 0, unbiased variance 1
    assert float(latent_penalty(Latents(plain, torch.zeros(1)))) == pytest.approx(0, abs=1e-12)


def test_the_latent_penalty_of_a_shift_and_a_scale() -> None:
    z = torch.randn(4000, 3).double()
    z = (z - z.mean(dim=0)) / z.std(dim=0)
    found = float(latent_penalty(Latents(2 * z + 3, torch.zeros(3))))
    assert found == pytest.approx(3**2 + (4 - 1) ** 2)


@pytest.mark.parametrize("snr", [0.0, 5.0, 15.0])
def test_the_information_rate_is_that_of_a_gaussian_channel(snr: float) -> None:
    z = torch.randn(500, 2).double()
    noise = (z.var(dim=0) * 10 ** (-snr / 10)).log()
    assert float(information_rate(Latents(z, noise))) == pytest.approx(rate_at(snr))


def test_no_noise_is_no_noise_and_noise_has_its_variance() -> None:
    mean = torch.randn(20_000, 2)
    assert torch.equal(Latents(mean, torch.full((2,), -math.inf)).noisy(), mean)
    log_variance = torch.tensor([0.0, math.log(9.0)])
    spread = (Latents(mean, log_variance).noisy() - mean).var(dim=0)
    assert torch.allclose(spread, log_variance.exp(), rtol=0.05)


def test_fitted_draws_have_mean_and_covariance_of_what_they_are_like() -> None:
    z = torch.randn(300, 3) @ torch.tensor([[2.0, 0, 0], [1, 1, 0], [0, 3, 0.1]]) + 5
    drawn = like(z.requires_grad_(), 200_000)
    assert not drawn.requires_grad
    assert torch.allclose(drawn.mean(dim=0), z.mean(dim=0), atol=0.05)
    assert torch.allclose(torch.cov(drawn.T), torch.cov(z.detach().T), atol=0.1)


def test_fitted_draws_of_fewer_rows_than_latents_stay_in_their_span() -> None:
    z = torch.randn(4, 10)
    drawn = like(z, 50) - z.mean(dim=0)
    assert int(torch.linalg.matrix_rank(drawn, atol=1e-4)) == 3
