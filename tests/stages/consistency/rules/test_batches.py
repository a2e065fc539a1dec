"""Rules of batches: what breaks them is named, what does not is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dlcc.stages.consistency.rules.batches import (
    evaluation_mode,
    in_order,
    mixed_normalisation,
    same_batch,
    same_noise,
)
from dlcc.stages.consistency.rules.reconstructions import no_noise, wrong_pairs
from dlcc.stages.consistency.steps.traced_steps import TracedSteps
from tests.stages.consistency.rules.evidence import (
    Rule,
    breaches,
    doubts,
    evidence,
    rows,
    state,
    traced,
)

DATA = rows(0, 128)
SORTED = DATA[DATA.sum(dim=1).argsort()]
B = 16


def game(wrong: str = "") -> TracedSteps:
    """Three steps of a GAN with one thing wrong."""
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

    return traced({"generator": make, "discriminator": judge}, step, data.numpy(), steps=3)


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
        drawn = torch.randn_like(mu)
        if "numpy" in wrong:
            drawn = torch.from_numpy(np.random.default_rng(number).normal(size=mu.shape)).float()
        z = mu if wrong == "mean" else mu + (lv / 2).exp() * drawn
        target: Tensor = x[torch.randperm(B)] if wrong == "pairs" else x
        y = nets["decoder"](z)
        loss = (y - (target + 1 if wrong == "moved" else target)).square().sum(dim=1)
        if wrong in ("triplet", "moved"):
            loss = loss + (1 - (x.roll(1, 0) - y).square().sum(dim=1)).relu()
        adam.zero_grad()
        kl = 0.5 * (mu.square() + lv.exp() - 1 - lv).sum(dim=1).mean()
        (loss.mean() + kl).backward()
        adam.step()

    return traced(nets, step, DATA.numpy())


@pytest.mark.parametrize(("rule", "wrong"), [(wrong_pairs, "pairs"), (no_noise, "mean")])
def test_what_breaks_a_rule_of_autoencoders_is_named(rule: Rule, wrong: str) -> None:
    assert breaches(rule, evidence(coded(), kind="vae")) == []
    (found,) = breaches(rule, evidence(coded(wrong), kind="vae"))
    assert found.code == "LOG016"


@pytest.mark.parametrize("sound", ["triplet", "moved"])
def test_a_negative_pair_beside_the_right_one_is_sound(sound: str) -> None:
    assert breaches(wrong_pairs, evidence(coded(sound), kind="vae")) == []


def test_noise_of_numpy_is_doubted() -> None:
    made = evidence(coded("numpy"), kind="vae")
    assert breaches(no_noise, made) == []
    assert len(doubts(no_noise, made)) == 1


def test_each_batch_may_be_taken_several_times() -> None:
    """Another snapshot's step tells whether the batch is always the same."""
    torch.manual_seed(0)
    net = nn.Linear(5, 1)
    sgd = torch.optim.SGD(net.parameters(), 0.1)

    def steps(first: int, every: int) -> TracedSteps:
        def step(number: int) -> None:
            start = (first + number) // every * B if every else 0
            net(DATA[start : start + B]).mean().backward()
            sgd.step()

        return traced({"d": net}, step, DATA.numpy())

    for every, count in ((4, 0), (0, 1)):
        pair, (apart, _) = steps(8, every).steps, steps(0, every).steps
        echoed = evidence(TracedSteps(steps=(*pair, apart)))
        assert len(breaches(same_batch, echoed)) == count


@pytest.mark.parametrize(
    ("seen", "accused"), [((40, 40, 40), False), ((0, 0, 0), True), ((1, 2, 9), True), ((), True)]
)
def test_moments_that_were_frozen_before_are_so_on_purpose(
    seen: tuple[int, ...], accused: bool
) -> None:
    name = "players/discriminator/1.num_batches_tracked"
    states = {k: state(k, {}, {name: torch.tensor(count)}) for k, count in enumerate(seen)}
    made = evidence(game("evaluation"), states=states)
    assert len(breaches(evaluation_mode, made)) == accused
    assert len(doubts(evaluation_mode, made)) == (not accused)


def test_nothing_is_said_of_data_that_are_not_known() -> None:
    def unknown(step: Any) -> TracedSteps:
        return traced({"d": nn.Linear(5, 1)}, step, None)

    net = nn.Linear(5, 1)

    def step(number: int) -> None:
        net(DATA[:B]).mean().backward()

    for rule in (same_batch, in_order):
        assert breaches(rule, evidence(unknown(step))) == []
