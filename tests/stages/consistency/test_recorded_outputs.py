"""Formulas of runs without code: outputs of each sample and the loss beside them decide."""

from __future__ import annotations

import pytest

from dlcc.records import Formula, Snapshots
from dlcc.runs import Run
from dlcc.stages.consistency.formulas.paper_losses import paper_losses
from dlcc.stages.consistency.recorded_outputs import check_on_outputs
from tests.conftest import example


@pytest.mark.parametrize(
    ("formula", "verdict"),
    [
        (r"-E[\log D(x)] - E[\log(1 - D(G(z)))]", "held"),
        (r"-E[\log \sigma(D(x))] - E[\log(1 - \sigma(D(G(z))))]", "held"),
        (r"-E[\log D(x)] - 2 E[\log(1 - D(G(z)))]", "refuted"),
        (r"E[\log D(x)] + E[\log(1 - D(G(z)))]", "refuted"),
        (r"-E[\log D(x)] + \lambda E[D(x)]", None),
        (r"-E[\log D(y + 1)]", None),
    ],
)
def test_recorded_outputs_decide(formula: str, verdict: str | None) -> None:
    snapshots = Snapshots.of(Run.open(example("digits-healthy")), None)
    (paper,) = paper_losses([Formula("a.md", 1, f"L_D = {formula}", True, "")])
    checked = check_on_outputs(paper, snapshots, {})
    assert (checked.verdict if checked else None) == verdict
    assert check_on_outputs(paper, None, {}) is None
