"""Weights that the code writes itself are told from those that optimisers write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from tests.tracing.steps import DATA, ROWS, players, recorded


def by_subtraction(net: nn.Module) -> None:
    with torch.no_grad():
        for p in net.parameters():
            p -= 0.1


def by_data(net: nn.Module) -> None:
    for p in net.parameters():
        p.data.add_(0.1)


def by_other_memory(net: nn.Module) -> None:
    for p in net.parameters():
        p.data = p.data + 0.1


def by_optimiser(net: nn.Module) -> None:
    torch.optim.Adam(net.parameters(), 0.1).step()


def by_fused_optimiser(net: nn.Module) -> None:
    torch.optim.SGD(net.parameters(), 0.1, fused=True).step()


def by_closure(net: nn.Module) -> None:
    def closure() -> Any:
        loss = net(DATA[:ROWS]).square().mean()
        loss.backward()
        return loss

    torch.optim.LBFGS(net.parameters(), 0.1).step(closure)


def within_bounds(net: nn.Module) -> None:
    for p in net.parameters():
        p.data.clamp_(-100, 100)


@pytest.mark.parametrize(
    ("update", "by_hand"),
    [
        (by_subtraction, True),
        (by_data, True),
        (by_other_memory, True),
        (by_optimiser, False),
        (by_fused_optimiser, False),
        (by_closure, False),
        (within_bounds, False),
    ],
)
def test_what_no_optimiser_writes_is_written_by_hand(
    update: Callable[[nn.Module], None], by_hand: bool
) -> None:
    nets = players()
    judge = nets["discriminator"]

    def step(_: dict[str, nn.Module]) -> None:
        judge(DATA[:ROWS]).square().mean().backward()
        update(judge)

    graph, _ = recorded(step, nets)
    every = {f"discriminator/{name}" for name, _ in judge.named_parameters()}
    assert set(graph.written) == (every if by_hand else set())
