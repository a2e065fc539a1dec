"""Recorded losses as formulas: what is understood is exact, everything else is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sympy as sp
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.small_gan.page import FORMULAS
from dlcc.stages.consistency.checks.symbolic_loss import (
    FAKE,
    REAL,
    UnknownLoss,
    softplus,
    symbolic_loss,
)
from dlcc.stages.consistency.documents import in_outputs
from dlcc.stages.consistency.formulas.latex import parse_equation
from dlcc.stages.consistency.formulas.symbols import Mean
from dlcc.stages.consistency.objectives import OBJECTIVES
from dlcc.stages.consistency.prove import per_sample, prove
from tests.tracing.steps import DATA, ROWS, discriminator_step, players, recorded, step_loss

r, f = REAL, FAKE


def traced(loss: Callable[[Tensor, Tensor], Tensor]) -> sp.Expr:
    return per_sample(symbolic_loss(discriminator_step(loss)))


def implemented(loss: str, player: str) -> sp.Expr:
    """Loss of a recipe's own function, as a step minimises it."""
    function = getattr(small_gan, f"{player}_loss_{loss}")
    if player == "discriminator":
        return traced(function)
    return traced(lambda real, fake: function(fake))


@pytest.mark.parametrize("loss", FORMULAS)
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_every_recipes_formula_is_its_code_and_its_promises_hold(loss: str, player: str) -> None:
    formula = FORMULAS[loss][1 if player == "discriminator" else 2]
    document = per_sample(in_outputs(parse_equation(formula).value))
    code = implemented(loss, player)
    assert prove(document - code, "= 0").verdict == "proved"
    for whose, claim, of, relation in OBJECTIVES[loss].properties:
        if whose == player:
            assert prove(of(code), relation).verdict == "proved", claim


@pytest.mark.parametrize("loss", FORMULAS)
def test_the_formula_of_another_loss_is_refuted_with_a_counterexample(loss: str) -> None:
    code = implemented(loss, "generator")
    for other in FORMULAS:
        document = per_sample(in_outputs(parse_equation(FORMULAS[other][2]).value))
        same = FORMULAS[other][2] == FORMULAS[loss][2]
        proof = prove(document - code, "= 0")
        assert proof.verdict == ("proved" if same else "refuted")
        assert same or "at D(G(z)) =" in (proof.counterexample or "")


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (
            lambda a, b: F.binary_cross_entropy_with_logits(a, torch.ones_like(a))
            + F.binary_cross_entropy_with_logits(b, torch.zeros_like(b)),
            softplus(-r) + softplus(f),
        ),
        (
            lambda a, b: F.binary_cross_entropy_with_logits(a, torch.full_like(a, 0.9)),
            sp.Rational(9, 10) * softplus(-r) + sp.Rational(1, 10) * softplus(r),
        ),
        (lambda a, b: F.mse_loss(a, torch.ones_like(a), reduction="sum"), ROWS * (r - 1) ** 2),
        (lambda a, b: (a - b).square().mean() / 3, (r - f) ** 2 / 3),
        (lambda a, b: torch.sub(a, b, alpha=2).mean(), r - 2 * f),
        (lambda a, b: a.view(-1).abs().sum() / ROWS, sp.Abs(r)),
        (lambda a, b: torch.relu(1 - a).mean() + b.clamp(min=-1).mean(),
         sp.Max(0, 1 - r) + sp.Max(-1, f)),
    ],
)  # fmt: skip
def test_what_is_understood_is_exact(
    loss: Callable[[Tensor, Tensor], Tensor], expected: sp.Expr
) -> None:
    assert sp.simplify(traced(loss) - expected) == 0


@pytest.mark.parametrize(
    "loss",
    [
        lambda a, b: F.softplus(-a, beta=2).mean(),
        lambda a, b: F.softplus(-a, threshold=1).mean(),
        lambda a, b: a.std(),
        lambda a, b: (a - b.T).mean(),  # a table of pairs
        lambda a, b: (a - b.view(-1)).square().mean(),
        lambda a, b: F.binary_cross_entropy_with_logits(
            a, torch.ones_like(a), pos_weight=torch.tensor([2.0])
        ),
        lambda a, b: (a * torch.arange(ROWS)[:, None]).mean(),
        lambda a, b: (a * a.detach()).mean(),
        lambda a, b: a[: ROWS // 2].mean(),
        lambda a, b: (a.mean() * a).mean(),
        lambda a, b: a.clamp(-1, 1).mean(),
        lambda a, b: a.pow(40).mean(),
        lambda a, b: F.smooth_l1_loss(a, torch.ones_like(a)),
    ],
)
def test_what_is_not_understood_is_refused(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    with pytest.raises(UnknownLoss):
        symbolic_loss(discriminator_step(loss))


def test_probabilities_stay_probabilities() -> None:
    loss = discriminator_step(lambda a, b: -a.log().mean(), nn.Sigmoid())
    assert symbolic_loss(loss) == -Mean(sp.log(r))


def test_a_call_without_gradients_is_no_formula() -> None:
    nets = players()
    adam = torch.optim.Adam(nets["discriminator"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        with torch.no_grad():
            real = n["discriminator"](DATA[:ROWS])
        fake = n["discriminator"](n["generator"](torch.randn(ROWS, 3)).detach())
        adam.zero_grad()
        (F.softplus(-real).mean() + F.softplus(fake).mean()).backward()
        adam.step()

    with pytest.raises(UnknownLoss, match="no gradient passes"):
        symbolic_loss(step_loss(*recorded(step, nets)))
