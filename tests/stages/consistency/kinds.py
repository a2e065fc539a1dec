"""Steps of small trainings of many kinds, traced, and documents held against them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.records import Formula
from dlcc.stages.consistency.documents import check_paper
from dlcc.stages.consistency.paper_losses import paper_losses
from dlcc.stages.consistency.traced_steps import TracedStep, TracedSteps, updates_of
from tests.tracing.steps import DATA, recorded

Step = Callable[[Tensor], None]
Players = dict[str, nn.Module]


def traced(step: Step, players: Players, rows: int = 16) -> TracedSteps:
    """Trace one step of a training on some rows of the data."""
    graph, tensors = recorded(lambda _: step(DATA[torch.randint(len(DATA), (rows,))]), players)
    whole = TracedStep(0, graph, tensors, graph.updates, np.asarray(DATA), following=False)
    return TracedSteps(tuple(updates_of(whole)), steps=(whole,))


def verdict(steps: TracedSteps, *latex: str) -> tuple[str, str]:
    """Check the first loss of a document that has these formulas and no others."""
    formulas = [Formula("a.md", k, text, True, "") for k, text in enumerate(latex)]
    loss = paper_losses(formulas)[0]
    checked = check_paper(loss, steps, {})
    return checked.verdict, checked.reason


def minimise(adam: torch.optim.Optimizer, loss: Tensor) -> None:
    adam.zero_grad()
    loss.backward()
    adam.step()


def adam(*players: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam([w for player in players for w in player.parameters()])


def net(wide: int, out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(wide, 8), nn.Tanh(), nn.Linear(8, out))


def all_verdicts(steps: TracedSteps, documents: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    return [verdict(steps, *document) for document in documents]
