"""Small players, and one step of a loss of theirs, recorded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.tracing.graph import StepGraph
from dlcc.tracing.losses import StepLoss
from dlcc.tracing.recorder import StepRecorder
from dlcc.tracing.rerun import check_step, leaves_of

ROWS, WIDE = 16, 5
DATA = torch.randn(200, WIDE, generator=torch.Generator().manual_seed(0))

Loss = Callable[[Tensor, Tensor], Tensor]
"""Function of the discriminator's outputs on real data and on samples."""


def players(last: nn.Module | None = None) -> dict[str, nn.Module]:
    torch.manual_seed(1)
    judge = nn.Sequential(nn.Linear(WIDE, 7), nn.Tanh(), nn.Linear(7, 1))
    if last is not None:
        judge.append(last)
    return {"generator": nn.Linear(3, WIDE), "discriminator": judge}


def recorded(
    step: Callable[[dict[str, nn.Module]], None], nets: dict[str, nn.Module]
) -> tuple[StepGraph, dict[str, Tensor]]:
    torch.manual_seed(2)
    with StepRecorder(nets) as recorder:
        step(nets)
    return recorder.graph()


def discriminator_step(loss: Loss, last: nn.Module | None = None) -> StepLoss:
    """Loss of one step of the discriminator, traced."""
    nets = players(last)
    adam = torch.optim.Adam(nets["discriminator"].parameters())

    def step(nets: dict[str, nn.Module]) -> None:
        real = DATA[torch.randint(len(DATA), (ROWS,))]
        fake = nets["generator"](torch.randn(ROWS, 3)).detach()
        adam.zero_grad()
        loss(nets["discriminator"](real), nets["discriminator"](fake)).backward()
        adam.step()

    return step_loss(*recorded(step, nets))


def step_loss(graph: StepGraph, tensors: dict[str, Tensor]) -> StepLoss:
    """Loss of the last update of a recorded step, whose gradients must come out as used."""
    leaves = leaves_of(graph, tensors)
    checked = check_step(graph, leaves, tensors)
    assert checked.faults[-1] == ""
    return StepLoss(graph, leaves, checked.updates[-1], np.asarray(DATA))
