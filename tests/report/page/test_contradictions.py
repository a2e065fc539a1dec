"""No statement of a page contradicts another; the rules see it where one does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.contradictions import contradictions
from dlcc.estimate import Number
from dlcc.evaluation import Evaluation, evaluate
from dlcc.records import AdviceRecord, AdvisedChange
from tests.conftest import example

ADVICE = AdviceRecord(
    (AdvisedChange("r1 0 -> 1", {"r1": 1}, Number(0.6, 0.4, 0.8)),), Number(0.1, 0.0, 0.2), 0
)


@pytest.mark.parametrize("name", ["digits-healthy", "ring-oscillating"])
@pytest.mark.parametrize("until", [None, 0.3, 0.6])
@pytest.mark.usefixtures("in_process")
def test_examples_do_not_contradict_themselves(name: str, until: float | None) -> None:
    assert contradictions(evaluate(example(name), only=["health"], until=until)) == []


def test_the_collapsed_example_does_not_contradict_itself(evaluated: Evaluation) -> None:
    assert contradictions(evaluated) == []


@pytest.mark.parametrize(
    ("verdict", "advice", "found"),
    [
        ({"state": "healthy", "label": "healthy", "p_healthy": Number(0.1, 0.0, 0.2)}, None,
         "healthy against a P(healthy) under one half"),
        ({"p_healthy": Number(0.9, 0.8, 1.0)}, None, "failed against a P(healthy) over one half"),
        ({"state": "unknown", "label": None}, ADVICE, "nothing to mend against advice"),
        ({"state": "healthy", "label": "healthy"}, None, "healthy against an error"),
        ({"onset": 240}, None, "the headline's onset against the finding's"),
    ],
)  # fmt: skip
def test_a_contradiction_is_seen(
    evaluated: Evaluation, verdict: dict[str, object], advice: AdviceRecord | None, found: str
) -> None:
    report = evaluated.report.model_copy(
        update={
            "verdict": evaluated.report.verdict.model_copy(update=verdict),
            "advice": advice,
        }
    )
    assert found in contradictions(replace(evaluated, report=report))
