"""Rows of a batch that enter a loss and train nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from tests.tracing.steps import ROWS, players, recorded, step_loss


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
