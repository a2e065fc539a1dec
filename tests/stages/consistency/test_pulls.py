"""Pulls of adversarial losses: usual variants are let be, players who pull wrongly are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, softplus

from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.consistency.pulls import check_pulls
from tests.stages.consistency.rules.evidence import traced
from tests.tracing.steps import DATA, ROWS, players

Judged = Callable[[Tensor, Tensor], Tensor]
Made = Callable[[Tensor], Tensor]


def findings(
    judged: Judged, made: Made, last: nn.Module | None = None, flip: int | None = None
) -> list[str]:
    """Messages about a GAN with these losses; with labels flipped in one step."""
    nets = players(last)
    judge, maker = nets["discriminator"], nets["generator"]
    optimisers = {name: torch.optim.SGD(net.parameters(), 0.01) for name, net in nets.items()}

    def step(number: int) -> None:
        outputs = judge(DATA[:ROWS]), judge(maker(torch.randn(ROWS, 3)).detach())
        loss = judged(*(outputs[::-1] if number == flip else outputs))
        optimisers["discriminator"].zero_grad()
        loss.backward()
        optimisers["discriminator"].step()
        optimisers["generator"].zero_grad()
        made(judge(maker(torch.randn(ROWS, 3)))).backward()
        optimisers["generator"].step()

    ledger = Ledger()
    check_pulls(ledger, traced(nets, step, np.asarray(DATA)))
    assert len(ledger.obligations) in (1, 2)
    return [finding.message for finding in ledger.findings]


def ns(r: Tensor, f: Tensor) -> Tensor:
    return softplus(-r).mean() + softplus(f).mean()


def smooth(r: Tensor, f: Tensor) -> Tensor:
    return (0.9 * softplus(-r) + 0.1 * softplus(r)).mean() + softplus(f).mean()


def hinge_with_drift(r: Tensor, f: Tensor) -> Tensor:
    return torch.relu(1 - r).mean() + torch.relu(1 + f).mean() + 0.01 * r.square().mean()


def squares(real: float, fake: float) -> Judged:
    return lambda r, f: (r - real).square().mean() + (f - fake).square().mean()


def relativistic(r: Tensor, f: Tensor) -> Tensor:
    return softplus(f.mean() - r).mean() + softplus(f - r.mean()).mean()


@pytest.mark.parametrize(
    ("judged", "made", "last"),
    [
        (ns, lambda f: softplus(-f).mean(), None),
        (ns, lambda f: -softplus(f).mean(), None),
        (smooth, lambda f: softplus(-f).mean(), None),
        (lambda r, f: ns(-r, -f), lambda f: softplus(f).mean(), None),  # labels the other way round
        (lambda r, f: r.mean() - f.mean(), lambda f: f.mean(), None),  # as the first WGAN has it
        (hinge_with_drift, lambda f: -f.mean(), None),
        (squares(1, 0), lambda f: (f - 1).square().mean(), None),
        (squares(0.9, 0), lambda f: (f - 1).square().mean(), None),
        (squares(1, -1), lambda f: f.square().mean(), None),  # Pearson's divergence
        (relativistic, lambda f: -f.mean(), None),
        (
            lambda r, f: -(r + 1e-8).log().mean() - (1 - f + 1e-8).log().mean(),
            lambda f: binary_cross_entropy(f, torch.ones_like(f)),
            nn.Sigmoid(),
        ),
    ],
)
def test_usual_variants_are_let_be(judged: Judged, made: Made, last: nn.Module | None) -> None:
    assert findings(judged, made, last) == []


@pytest.mark.parametrize(
    ("judged", "made", "message"),
    [
        (ns, lambda f: softplus(f).mean(), "on its samples to -6"),
        (lambda r, f: ns(f, r), lambda f: softplus(-f).mean(), "on its samples to 6"),
        (squares(1, 0), lambda f: f.square().mean(), "on its samples to 0"),
        (squares(1, 1), lambda f: (f - 1).square().mean(), "to the same"),
        (lambda r, f: softplus(-r).mean() + softplus(-f).mean(), torch.mean, "to the same"),
    ],
)
def test_players_that_draw_outputs_the_wrong_way_are_found(
    judged: Judged, made: Made, message: str
) -> None:
    (found,) = findings(judged, made)
    assert message in found


def test_labels_that_are_flipped_in_one_step_are_let_be() -> None:
    assert findings(ns, lambda f: softplus(-f).mean(), flip=1) == []


def test_a_judge_that_returns_features_as_well_is_let_be() -> None:
    class Judge(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(5, 7), nn.Linear(7, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            features = torch.tanh(self.first(x))
            return features, self.last(features)

    nets: dict[str, nn.Module] = {"generator": nn.Linear(3, 5), "discriminator": Judge()}
    judge, maker = nets["discriminator"], nets["generator"]
    sgd = {name: torch.optim.SGD(net.parameters(), 0.01) for name, net in nets.items()}

    def step(_: int) -> None:
        real, fake = judge(DATA[:ROWS]), judge(maker(torch.randn(ROWS, 3)).detach())
        sgd["discriminator"].zero_grad()
        ns(real[1], fake[1]).backward()
        sgd["discriminator"].step()
        made, target = judge(maker(torch.randn(ROWS, 3))), judge(DATA[:ROWS])[0].detach()
        sgd["generator"].zero_grad()
        (softplus(-made[1]).mean() + 100 * (made[0] - target).abs().mean()).backward()
        sgd["generator"].step()

    ledger = Ledger()
    check_pulls(ledger, traced(nets, step, np.asarray(DATA)))
    assert ledger.findings == []
