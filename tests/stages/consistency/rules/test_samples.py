"""Rules of samples: one noise for a whole batch is named, what only looks like it is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dlcc.stages.consistency.rules.samples import one_noise
from dlcc.stages.consistency.steps.traced_steps import TracedSteps
from tests.stages.consistency.rules.evidence import breaches, evidence, rows, traced

DATA = rows(0, 128)
B = 16


def game(way: str) -> TracedSteps:
    """Two steps of a GAN whose noise is drawn in some way."""
    torch.manual_seed(0)
    make: Any = nn.Linear(3, 5)
    if way == "dropout":
        make = nn.Sequential(nn.Linear(3, 40), nn.Dropout(0.5), nn.Linear(40, 5))
    if way == "collapsed":
        make = nn.Sequential(nn.Linear(3, 5), nn.Threshold(1e6, 1.0))
    judge = nn.Linear(5, 1)
    adams = [torch.optim.Adam(net.parameters()) for net in (make, judge)]

    def noise() -> Tensor:
        if way in ("row", "dropout", "labels", "penalty"):
            z = torch.randn(1, 3).expand(B, 3)
            return z + torch.arange(B)[:, None] % 2 if way == "labels" else z
        if way == "vector":
            return torch.randn(3).repeat(B, 1)
        return torch.randn(B, 3)

    def step(number: int) -> None:
        x = DATA[torch.randint(len(DATA), (B,))]
        adams[1].zero_grad()
        fake = make(noise()).detach()
        loss = softplus(-judge(x)).mean() + softplus(judge(fake)).mean()
        if way == "penalty":
            t = torch.rand(B, 1)
            at = (t * x + (1 - t) * fake).requires_grad_()
            (slope,) = torch.autograd.grad(judge(at).sum(), at, create_graph=True)
            loss = loss + slope.square().sum(dim=1).mean()
        loss.backward()
        adams[1].step()
        adams[0].zero_grad()
        softplus(-judge(make(noise()))).mean().backward()
        adams[0].step()

    return traced({"generator": make, "discriminator": judge}, step, DATA.numpy())


@pytest.mark.parametrize("way", ["each", "dropout", "collapsed", "labels"])
def test_samples_that_differ_or_have_collapsed_are_no_matter(way: str) -> None:
    assert breaches(one_noise, evidence(game(way))) == []


@pytest.mark.parametrize("way", ["row", "vector", "penalty"])
def test_one_noise_for_a_whole_batch_is_named(way: str) -> None:
    (found,) = breaches(one_noise, evidence(game(way)))
    assert (found.code, found.step) == ("LOG012", 0)
    assert "one sample 16 times" in found.message
