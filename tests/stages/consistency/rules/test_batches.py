"""Rules of batches: what breaks them is named, what does not is left alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dlcc.stages.consistency.rules.batches import (
    evaluation_mode,
    in_order,
    mixed_normalisation,
    no_noise,
    same_batch,
    same_noise,
    wrong_pairs,
)
from dlcc.stages.consistency.traced_steps import TracedSteps
from tests.stages.consistency.rules.evidence import Rule, breaches, evidence, rows, traced

DATA = rows(0, 128)
SORTED = DATA[DATA.sum(dim=1).argsort()]
B = 16


def game(wrong: str = "") -> TracedSteps:
    """Two steps of a GAN with one thing wrong."""
    torch.manual_seed(0)
    make, judge = (
        nn.Linear(3, 5),
        nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)),
    )
    adam = torch.optim.Adam(judge.parameters())
    data = DATA if wrong == "in order, without one" else SORTED

    def step(number: int) -> None:
        judge.train(wrong != "evaluation")
        if wrong == "seed":
            torch.manual_seed(3)
        chosen = torch.randint(len(data), (B,))
        if wrong == "batch":
            chosen = torch.arange(B) * 3
        if wrong.startswith("in order"):
            chosen = torch.arange(B) + B * number
        fake = make(torch.randn(B, 3)).detach()
        if wrong == "one batch":
            real_out, fake_out = judge(torch.cat([data[chosen], fake])).chunk(2)
        else:
            real_out, fake_out = judge(data[chosen]), judge(fake)
        adam.zero_grad()
        (softplus(-real_out).mean() + softplus(fake_out).mean()).backward()
        adam.step()

    return traced({"generator": make, "discriminator": judge}, step, data.numpy())


@pytest.mark.parametrize(
    ("rule", "wrong", "words"),
    [
        (same_noise, "seed", "same random numbers"),
        (same_batch, "batch", "the same 16 rows of 128"),
        (in_order, "in order", "rows 0 to 15 and 16 to 31"),
        (in_order, "in order, without one", ""),
        (mixed_normalisation, "one batch", "as one batch"),
        (evaluation_mode, "evaluation", "in evaluation mode"),
    ],
)
def test_what_breaks_a_rule_is_named(rule: Rule, wrong: str, words: str) -> None:
    assert breaches(rule, evidence(game())) == []
    found = breaches(rule, evidence(game(wrong)))
    assert len(found) == bool(words)
    assert all(words in breach.message for breach in found)


def coded(wrong: str = "") -> TracedSteps:
    """Two steps of a VAE with one thing wrong."""
    torch.manual_seed(0)
    nets: dict[str, nn.Module] = {"encoder": nn.Linear(5, 4), "decoder": nn.Linear(2, 5)}
    adam = torch.optim.Adam([w for net in nets.values() for w in net.parameters()])

    def step(number: int) -> None:
        x = DATA[torch.randint(len(DATA), (B,))]
        mu, lv = nets["encoder"](x).chunk(2, dim=1)
        z = mu if wrong == "mean" else mu + (lv / 2).exp() * torch.randn_like(mu)
        target: Tensor = x[torch.randperm(B)] if wrong == "pairs" else x
        adam.zero_grad()
        kl = 0.5 * (mu.square() + lv.exp() - 1 - lv).sum(dim=1).mean()
        ((nets["decoder"](z) - target).square().sum(dim=1).mean() + kl).backward()
        adam.step()

    return traced(nets, step, DATA.numpy())


@pytest.mark.parametrize(("rule", "wrong"), [(wrong_pairs, "pairs"), (no_noise, "mean")])
def test_what_breaks_a_rule_of_autoencoders_is_named(rule: Rule, wrong: str) -> None:
    assert breaches(rule, evidence(coded(), kind="vae")) == []
    (found,) = breaches(rule, evidence(coded(wrong), kind="vae"))
    assert found.code == "LOG016"


def test_nothing_is_said_of_data_that_are_not_known() -> None:
    def unknown(step: Any) -> TracedSteps:
        return traced({"d": nn.Linear(5, 1)}, step, None)

    net = nn.Linear(5, 1)

    def step(number: int) -> None:
        net(DATA[:B]).mean().backward()

    for rule in (same_batch, in_order):
        assert breaches(rule, evidence(unknown(step))) == []
