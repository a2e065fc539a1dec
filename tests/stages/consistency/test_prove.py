"""The prover: true statements proved, false ones refuted, nothing false proved."""

from pathlib import Path

import pytest
import sympy as sp

from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.small_gan.page import FORMULAS
from dlcc.stages.consistency.documents import in_outputs
from dlcc.stages.consistency.latex import Mean, parse_equation
from dlcc.stages.consistency.objectives import OBJECTIVES
from dlcc.stages.consistency.prove import per_sample, prove
from dlcc.stages.consistency.torchcode import FAKE, REAL, UnknownCode, loss_expression, softplus
from dlcc.stages.ingestion.code import parse_functions

SOURCE = Path(small_gan.__file__).read_text()
FUNCTIONS = {f.name: f for f in parse_functions("train.py", SOURCE)}
r, f = REAL, FAKE


def code(text: str) -> sp.Expr:
    (function,) = parse_functions("x.py", text)
    return loss_expression(function)


@pytest.mark.parametrize("loss", FORMULAS)
@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_every_recipes_formula_is_its_code_and_its_promises_hold(loss: str, player: str) -> None:
    formula = FORMULAS[loss][1 if player == "discriminator" else 2]
    document = per_sample(in_outputs(parse_equation(formula)))
    implemented = per_sample(loss_expression(FUNCTIONS[f"{player}_loss_{loss}"]))
    assert prove(document - implemented, "= 0").verdict == "proved"
    for whose, claim, of, relation in OBJECTIVES[loss].properties:
        if whose == player:
            assert prove(of(implemented), relation).verdict == "proved", claim


@pytest.mark.parametrize("loss", FORMULAS)
def test_the_formula_of_another_loss_is_refuted_with_a_counterexample(loss: str) -> None:
    implemented = per_sample(loss_expression(FUNCTIONS[f"generator_loss_{loss}"]))
    for other in FORMULAS:
        document = per_sample(in_outputs(parse_equation(FORMULAS[other][2])))
        same = FORMULAS[other][2] == FORMULAS[loss][2]
        proof = prove(document - implemented, "= 0")
        assert proof.verdict == ("proved" if same else "refuted")
        assert same or "at D(x) =" in (proof.counterexample or "")


@pytest.mark.parametrize(
    ("expression", "relation", "verdict"),
    [
        (softplus(r) - sp.Max(0, r), "= 0", "refuted"),
        (sp.log(r**2) - 2 * sp.log(r), "= 0", "refuted"),  # false for r <= 0
        (r - f, ">= 0", "refuted"),
        ((r - f) ** 2, ">= 0", "proved"),
        (softplus(r) - softplus(-r) - r, "= 0", "proved"),
        (sp.Max(0, r) - sp.Max(0, -r) - r, "= 0", "unknown"),  # needs the condition of a case
        (sp.Symbol("c") * r, "= 0", "unknown"),
    ],
)
def test_verdicts(expression: sp.Expr, relation: str, verdict: str) -> None:
    assert prove(expression, relation).verdict == verdict  # type: ignore[arg-type]


def test_means_add_up_and_a_mean_inside_a_power_is_not_dropped() -> None:
    assert per_sample(Mean(r) + 2 * Mean(f) + 1) == r + 2 * f + 1
    assert per_sample(Mean(r) ** 2) is None
    assert per_sample(sp.log(Mean(r))) is None


@pytest.mark.parametrize(
    "body",
    [
        "F.softplus(-real, beta=2).mean()",
        "F.softplus(-real, 2).mean()",
        "torch.mean(real, dim=0)",
        "mystery(real)",
        "real.mean() if real.sum() else fake",
        "F.binary_cross_entropy_with_logits(real, target)",
    ],
)
def test_an_argument_that_is_not_known_is_refused(body: str) -> None:
    with pytest.raises(UnknownCode):
        code(f"def loss(real, fake):\n    return {body}")


def test_cross_entropy_against_ones_and_zeros() -> None:
    text = (
        "def d(real, fake):\n"
        "    a = F.binary_cross_entropy_with_logits(real, torch.ones_like(real))\n"
        "    b = F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))\n"
        "    return a + b"
    )
    assert sp.simplify(per_sample(code(text)) - softplus(-r) - softplus(f)) == 0
