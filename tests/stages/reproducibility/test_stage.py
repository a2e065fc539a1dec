"""Whether the same would happen again, as the stage says it."""

import pytest

from dlcc.errors import LimitExceeded, OptionError
from dlcc.estimate import Estimate
from dlcc.records import Outcome, RerunOutcome, Reruns, Samples, Series, Sources
from dlcc.stage import NotApplicable
from dlcc.stages.reproducibility import Reproducibility, stage
from tests.stages.past_runs import call, parts_of


def result_for_reruns(monkeypatch, labels, deviation=0.9, refused=0):
    """What the stage gives where reruns ended with these labels."""
    outcomes = tuple(
        RerunOutcome(label, 0.5, 0.5, kind="seed", seed=seed, changes={})
        for seed, label in enumerate(labels)
    )
    own = Outcome("collapsed", 0.0, 0.0)
    made = Reruns(outcomes, "by hand", Estimate.normal(deviation, 0.02), (), {}, refused, own)
    monkeypatch.setattr(stage, "rerun", lambda *arguments, **more: made)
    return call(Reproducibility(reruns=6), *parts_of("digits-collapsed"))


def test_reruns_that_end_alike_are_no_finding(monkeypatch):
    result = result_for_reruns(monkeypatch, ["collapsed"] * 6)
    assert result.terms["reproducibility"].mean == pytest.approx(0.9, abs=0.01)
    assert result.findings == []
    assert not result.environment


def test_ends_that_fall_apart_and_an_end_that_was_chance(monkeypatch):
    result = result_for_reruns(monkeypatch, ["healthy"] * 5 + ["weak"], deviation=0.3)
    assert [f.code for f in result.findings] == ["REP001", "REP002"]
    assert "5 healthy, 1 weak" in result.findings[0].message
    assert "The run ended collapsed" in result.findings[1].message


def test_fewer_reruns_than_asked_for_are_not_kept_for_another_time(monkeypatch):
    assert "cut" in result_for_reruns(monkeypatch, ["collapsed"] * 5).environment
    assert not result_for_reruns(monkeypatch, ["collapsed"] * 5, refused=1).environment
    with pytest.raises(NotApplicable, match="3 reruns were done in time, 4 are needed"):
        result_for_reruns(monkeypatch, ["collapsed"] * 3)


def test_too_few_reruns_to_say_anything_are_refused():
    with pytest.raises(OptionError, match=r"reproducibility.reruns 3: expected 4 or more"):
        Reproducibility(reruns=3)


def test_a_run_without_its_code_cannot_be_run_again():
    parts, length = parts_of("digits-collapsed")
    without = {kind: part for kind, part in parts.items() if kind is not Sources}
    with pytest.raises(NotApplicable, match="does not say how to build its training"):
        call(Reproducibility(), without, length)


def test_what_cannot_be_judged_is_not_run_again():
    parts, length = parts_of("digits-collapsed")
    few = {**parts, Series: parts[Series].before(10)}
    del few[Samples]
    with pytest.raises(NotApplicable, match="10 rows are too few to judge"):
        call(Reproducibility(), few, length)


def test_reruns_are_held_against_the_runs_own_end(monkeypatch):
    seen = {}

    def noted(*arguments, own, **more):
        seen["own"] = own
        raise LimitExceeded("no time")

    monkeypatch.setattr(stage, "rerun", noted)
    parts, length = parts_of("digits-collapsed")
    with pytest.raises(NotApplicable, match="done in time"):
        call(Reproducibility(), parts, length)
    assert seen["own"] == (parts[Series], parts[Samples])
