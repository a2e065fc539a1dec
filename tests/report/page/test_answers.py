"""Answers and actions: what the first screen says, and that it does not contradict itself."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from dlcc.estimate import Number
from dlcc.evaluation import Evaluation
from dlcc.records import AdviceRecord, AdvisedChange
from dlcc.report import Report
from dlcc.report.page.actions import actions
from dlcc.report.page.answers import answers
from tests.report.test_sections import FORECAST, RERUNS


def said(report: Report, forecast=None, reruns=None) -> dict[str, str]:
    return {a.key: a.sentence for a in answers(report, forecast, reruns)}


def with_verdict(report: Report, **changes: object) -> Report:
    return report.model_copy(update={"verdict": report.verdict.model_copy(update=changes)})


def test_a_failed_run_is_answered_with_no_and_why(evaluated: Evaluation) -> None:
    found = {a.key: a for a in answers(evaluated.report, FORECAST, RERUNS)}
    assert list(found) == ["healthy", "outlook", "record", "again", "change", "landscape"]
    assert found["healthy"].sentence.startswith("No. Over the last four sample steps")
    assert found["outlook"].question == "Will it recover?"
    assert found["record"].tone == "good"
    assert "5 reruns with other seeds" in found["again"].sentence
    assert all(a.sentence.endswith((".", "?", "!")) for a in found.values())


def test_what_was_not_looked_at_is_not_known(evaluated: Evaluation) -> None:
    found = said(evaluated.report)
    assert found["outlook"].startswith("Not known")
    assert found["again"] == "Not known: the stage was not run."


def test_an_unknown_verdict_is_not_decided(evaluated: Evaluation) -> None:
    unknown = with_verdict(
        evaluated.report, state="unknown", label=None, sentence="Unknown: too near one half."
    ).model_copy(update={"advice": None})
    found = said(unknown)
    assert found["healthy"] == "Not decided. Too near one half."
    assert not found["healthy"].startswith(("Yes", "No."))


def test_seeds_that_end_alike_do_not_decide(evaluated: Evaluation) -> None:
    alike = replace(
        RERUNS, outcomes=tuple(replace(o, label="healthy", kind="seed") for o in RERUNS.outcomes)
    )
    unknown = with_verdict(evaluated.report, state="unknown", label=None, sentence="Unknown: x.")
    assert said(unknown, None, alike)["again"].startswith("Other seeds end alike. 7 reruns")
    healthy = with_verdict(evaluated.report, state="healthy", label="healthy")
    assert said(healthy, None, alike)["again"].startswith("Yes.")


def test_a_doubtful_record_is_not_trusted(evaluated: Evaluation) -> None:
    doubtful = with_verdict(evaluated.report, doubt=True, record="RECORD IN DOUBT (step 3)")
    found = {a.key: a for a in answers(doubtful, None, None)}
    assert found["record"].tone == "bad"
    assert found["record"].sentence.startswith("No.")
    assert "disagree" in actions(doubtful, evaluated.evaluated_run, None)[0].words


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.6, 0.9, "Most likely."), (0.0, 0.3, "Most likely not."), (0.2, 0.8, "Open.")],
)
def test_the_outlook_says_yes_or_no_only_where_its_interval_does(
    evaluated: Evaluation, low: float, high: float, word: str
) -> None:
    terms = tuple(
        t.model_copy(update={"measured": True, "mean": (low + high) / 2, "low": low, "high": high})
        if t.name == "impact"
        else t
        for t in evaluated.report.terms
    )
    assert said(evaluated.report.model_copy(update={"terms": terms}))["outlook"].startswith(word)


def test_a_failed_run_keeps_its_best_snapshot_and_has_commands(evaluated: Evaluation) -> None:
    found = actions(evaluated.report, evaluated.evaluated_run, 880)
    assert "step 640" in found[0].words
    assert found[0].command.endswith("snapshots/00000640")
    assert 2 <= len(found) <= 3
    assert all(a.command for a in found)
    assert re.match(r"dlcc (advise|explain) ", found[1].command)


def test_what_cannot_be_tried_has_no_command_to_try_it(evaluated: Evaluation) -> None:
    change = AdvisedChange("r1 0 -> 1", {"r1": 1}, Number(0.6, 0.4, 0.8))
    stuck = AdviceRecord((change,), Number(0.1, 0, 0.2), 0, why_no_reruns="it brings no code")
    found = actions(
        evaluated.report.model_copy(update={"advice": stuck}), evaluated.evaluated_run, None
    )
    assert found[0].words.startswith("Change r1 0 -> 1")
    assert found[0].command is None


def test_a_healthy_run_is_told_to_change_nothing(evaluated: Evaluation) -> None:
    healthy = with_verdict(
        evaluated.report, state="healthy", label="healthy", failed=False,
        sentence="Healthy to the end of the record.",
    ).model_copy(update={"advice": None, "findings": ()})  # fmt: skip
    found = said(healthy)
    assert found["healthy"] == "Yes. Healthy to the end of the record."
    assert found["change"] == "Nothing."
    commands = [a.command or "" for a in actions(healthy, evaluated.evaluated_run, 880)]
    assert not any("advise" in c or "explain" in c for c in commands)
