"""Steps of small trainings of many kinds, traced, and documents held against them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.records import Formula
from dlcc.stages.consistency.documents import check_paper
from dlcc.stages.consistency.formulas.paper_losses import paper_losses
from dlcc.stages.consistency.steps.traced_steps import TracedStep, TracedSteps, updates_of
from tests.tracing.steps import DATA, ROWS, WIDE, recorded

LATENTS = 2
Players = dict[str, nn.Module]
Training = Callable[[], TracedSteps]


class Beside(nn.Module):
    """Network of several things that are put beside each other."""

    def __init__(self, wide: int, out: int) -> None:
        super().__init__()
        self.body = net(wide, out)

    def forward(self, *given: Tensor) -> Tensor:
        made: Tensor = self.body(torch.cat([g.float().reshape(len(g), -1) for g in given], dim=1))
        return made


def net(wide: int, out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(wide, 8), nn.Tanh(), nn.Linear(8, out))


def noise(wide: int = LATENTS) -> Tensor:
    return torch.randn(ROWS, wide)


def adam(*players: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam([w for player in players for w in player.parameters()])


def minimise(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def traced(step: Callable[[Tensor], None], players: Players) -> TracedSteps:
    """Trace one step of a training on some rows of the data."""
    graph, tensors = recorded(lambda _: step(DATA[torch.randint(len(DATA), (ROWS,))]), players)
    whole = TracedStep(0, graph, tensors, graph.updates, np.asarray(DATA), following=False)
    return TracedSteps(tuple(updates_of(whole)), steps=(whole,))


def verdict(steps: TracedSteps, *latex: str) -> tuple[str, str]:
    """Check the first loss of a document that has these formulas and no others."""
    formulas = [Formula("a.md", k, text, True, "") for k, text in enumerate(latex)]
    checked = check_paper(paper_losses(formulas)[0], steps, {})
    return checked.verdict, checked.reason


def made(wide: int, out: int) -> nn.Module:
    """Network with weights that are always the same."""
    torch.manual_seed(wide + 10 * out)
    return net(wide, out)


def coders() -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder."""
    return made(WIDE, LATENTS), made(LATENTS, WIDE)
