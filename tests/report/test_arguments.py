"""The debate over a run, from its report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlcc.estimate import Number
from dlcc.evaluation import Evaluation
from dlcc.records import HealthRecord
from dlcc.report.arguments import debate_of
from dlcc.report.page import html


def test_samples_and_past_runs_settle_a_collapse(evaluated: Evaluation) -> None:
    debate = debate_of(evaluated.report, evaluated.record(HealthRecord))
    assert debate.outcome == "not healthy"
    assert len(debate.positions) == 1
    assert all(s.stands for s in debate.spoken())


def test_samples_against_past_runs_do_not_settle(evaluated: Evaluation) -> None:
    health = evaluated.record(HealthRecord)
    assert health is not None
    verdict = evaluated.report.verdict.model_copy(update={"p_landscape": Number(0.9, 0.8, 0.95)})
    torn = evaluated.report.model_copy(update={"verdict": verdict})
    debate = debate_of(torn, health)
    assert debate.outcome == "open"
    assert len(debate.positions) == 2
    assert debate_of(torn, health, [(False, "digits look alike")]).outcome == "not healthy"
    assert debate_of(torn, health, [(True, "")]).outcome == "healthy"
    page = html.render(torn, evaluated.evaluated_run, health)
    assert "it does not settle" in page
    assert "Answered by" in page


def test_calm_losses_alone_prove_nothing(evaluated: Evaluation) -> None:
    health = evaluated.record(HealthRecord)
    assert health is not None
    blind = replace(health, label="healthy", coverage=np.full(len(health.coverage), np.nan))
    verdict = evaluated.report.verdict.model_copy(update={"p_landscape": None})
    report = evaluated.report.model_copy(update={"verdict": verdict})
    debate = debate_of(report, blind)
    assert debate.outcome == "open"
    assert {a.claim for a in debate.arguments} == {"healthy", "void"}


def test_a_record_in_doubt_outweighs_good_samples(evaluated: Evaluation) -> None:
    health = evaluated.record(HealthRecord)
    assert health is not None
    verdict = evaluated.report.verdict.model_copy(update={"doubt": True, "record": "step 3"})
    report = evaluated.report.model_copy(update={"verdict": verdict})
    debate = debate_of(report, replace(health, label="healthy"))
    assert debate.outcome == "not healthy"


def test_without_health_there_is_no_claim(evaluated: Evaluation) -> None:
    silent = evaluated.report.model_copy(update={"diagnosis": None})
    assert debate_of(silent, None).outcome == "open"


def test_an_unknown_verdict_is_not_called_settled(evaluated: Evaluation) -> None:
    health = evaluated.record(HealthRecord)
    unknown = {"state": "unknown", "label": None, "p_landscape": Number(0.3, 0.0, 0.8)}
    verdict = evaluated.report.verdict.model_copy(update=unknown)
    report = evaluated.report.model_copy(update={"verdict": verdict})
    assert debate_of(report, health).outcome == "not healthy"
    page = html.render(report, evaluated.evaluated_run, health)
    assert "it leans, too weakly for a verdict, to not healthy" in page
    assert "it settles" not in page
    assert f"dlcc review {evaluated.evaluated_run.path.parent} --web" in page
