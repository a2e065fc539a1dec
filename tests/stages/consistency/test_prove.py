"""The prover: true statements proved, false ones refuted, nothing false proved."""

import pytest
import sympy as sp

from dlcc.stages.consistency.checks.symbolic_loss import FAKE, REAL, softplus
from dlcc.stages.consistency.formulas.symbols import Mean
from dlcc.stages.consistency.prove import per_sample, prove

r, f = REAL, FAKE


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
