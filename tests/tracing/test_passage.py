"""Rows of a batch that enter a loss and train nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from tests.tracing.steps import DATA, ROWS, players, recorded, step_loss


def generator_loss(through: Callable[[Tensor], Tensor]) -> str:
    """What is cut off in a step of the generator whose samples go through a function."""
    nets = players()
    adam = torch.optim.Adam(nets["generator"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        adam.zero_grad()
        made = through(n["generator"](torch.randn(ROWS, 3)))
        softplus(-n["discriminator"](made)).mean().backward()
        adam.step()

    return step_loss(*recorded(step, nets)).cut_off


def test_samples_that_pass_whole_are_not_cut_off() -> None:
    assert generator_loss(lambda x: x) == ""
    assert generator_loss(lambda x: torch.relu(x + 0.1 * torch.randn_like(x))) == ""
    assert generator_loss(lambda x: x[: ROWS // 2]) == ""  # the rest is not used at all


def test_a_part_of_the_samples_that_is_cut_off_is_told() -> None:
    def half(x: Tensor) -> Tensor:
        return torch.cat([x[:4].detach(), x[4:]])

    def masked(x: Tensor) -> Tensor:
        chosen = (torch.arange(ROWS) < 3).float()[:, None]
        return x.detach() * chosen + x * (1 - chosen)

    assert f"4 of {ROWS} samples" in generator_loss(half)
    assert f"3 of {ROWS} samples" in generator_loss(masked)


def autoencoder_loss(latent: Callable[[Tensor, Tensor], Tensor]) -> str:
    """What is cut off in a step of an autoencoder whose latents are made of the code's halves."""
    nets: dict[str, nn.Module] = {"encoder": nn.Linear(5, 6), "decoder": nn.Linear(3, 5)}
    adam = torch.optim.Adam([*nets["encoder"].parameters(), *nets["decoder"].parameters()])

    def step(n: dict[str, nn.Module]) -> None:
        adam.zero_grad()
        mean, log_variance = n["encoder"](DATA[:ROWS]).chunk(2, 1)
        made = n["decoder"](latent(mean, log_variance))
        divergence = (mean.square() + log_variance.exp() - log_variance).sum(1).mean()
        ((made - DATA[:ROWS]).square().sum(1).mean() + divergence).backward()
        adam.step()

    return step_loss(*recorded(step, nets)).cut_within


def test_halves_of_a_code_that_reconstruction_does_not_train_are_told() -> None:
    def drawn(mean: Tensor, log_variance: Tensor) -> Tensor:
        return mean + torch.randn_like(mean) * (log_variance / 2).exp()

    assert autoencoder_loss(drawn) == ""
    assert "3 of 6 numbers of encoder" in autoencoder_loss(lambda m, v: drawn(m, v.detach()))
    assert "3 of 6 numbers of encoder" in autoencoder_loss(lambda m, v: drawn(m.detach(), v))
    # not used at all, and cut off whole on purpose
    assert autoencoder_loss(lambda m, v: m) == ""
    assert autoencoder_loss(lambda m, v: drawn(m, v).detach()) == ""
