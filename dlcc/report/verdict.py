"""Verdict of a report: one sentence, from samples, past runs and first principles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcc.diagnosis import Diagnosis
from dlcc.estimate import Number
from dlcc.kinds import kind_of
from dlcc.pipeline import StageOutcome
from dlcc.records import UNTRAINED, Config, HealthRecord
from dlcc.report.record import VerdictRecord
from dlcc.report.text import percent, percent_alone
from dlcc.scoring.calibration import Probability
from dlcc.scoring.decision import is_decided
from dlcc.scoring.judgement import disagree


def _record_in_words(outcomes: Sequence[StageOutcome]) -> tuple[str, bool]:
    """Sum up the checks of the record by the stages that feed `logic`.

    Returns the summary in words, and whether any obligation was refuted.
    """
    checked = [o for o in outcomes if "logic" in o.terms]
    if not checked:
        return "record not checked", False
    refuted = [f for o in checked for f in o.findings if f.severity == "error"]
    if not refuted:
        failed = [o.stage for o in outcomes if o.status == "failed"]
        counts = [n for o in checked if (n := o.terms["logic"].decided) is not None]
        if counts and not sum(counts):
            return "record not checked: no obligation could be decided", False
        limits = f", but {', '.join(failed)} failed" if failed else ""
        if not counts:
            return f"no check of the record failed{limits}", False
        undecided = sum(o.terms["logic"].undecided for o in checked)
        passed = f"{sum(counts):.0f} of {sum(counts) + undecided:.0f} checks passed"
        left = f", {undecided:.0f} undecided" if undecided else ""
        return f"{passed}{left}{limits}", False
    places = dict.fromkeys(
        f.place or (f.code if f.first_step is None else f"step {f.first_step:,}") for f in refuted
    )
    named = ", ".join(list(places)[:2]) + (", ..." if len(places) > 2 else "")
    return f"RECORD IN DOUBT ({named})", True


def verdict_record(
    config: Config,
    recorded: int,
    health: HealthRecord | None,
    probability: Probability | None,
    outcomes: Sequence[StageOutcome],
    diagnosis: Diagnosis | None,
    known_data: bool = True,
) -> VerdictRecord:
    """Settle the one verdict of a report.

    Samples that were held against data stand above what series tell. Without them a fault from
    first principles stands above what past runs know, and where past runs cannot judge the
    record, the diagnosis is the verdict. Where P(healthy) is too near one half, it is unknown.
    `known_data` says whether past runs were trained on the same data.
    """
    record, doubt = _record_in_words(outcomes)
    by_samples = health is not None and not np.isnan(health.coverage).all()
    if diagnosis is not None and not by_samples and _leads(diagnosis, health, outcomes):
        return _by_diagnosis(diagnosis, health, outcomes, record, doubt)
    if health is None or probability is None:
        return VerdictRecord(
            label=None,
            sentence=f"No verdict: {_why_no_verdict(outcomes)}.",
            failed=None,
            onset=None,
            onset_interval=None,
            probabilities={},
            p_healthy=None,
            stability=None,
            record=record,
            doubt=doubt,
            disagreement=None,
        )
    if not is_decided(
        probability,
        by_samples=by_samples,
        known_data=known_data,
        in_features=by_samples and health.relative,
    ):
        return _undecided(health, probability, record, doubt)
    if by_samples and health.relative and _contradicts(health, probability):
        return _undecided(health, probability, record, doubt, agreed=False)
    state = kind_of(config.objective).label(health.label).state
    overruled = _overruled(diagnosis, state) if by_samples and diagnosis is not None else None
    return VerdictRecord(
        state=state,
        label=health.label,
        sentence=_sentence(health, recorded, config.length),
        failed=health.label in kind_of(config.objective).failed,
        onset=_onset(health),
        onset_interval=None if _onset(health) is None else health.onset_interval,
        probabilities={k: float(v) for k, v in health.probabilities.items()},
        p_healthy=Number.of(probability.both),
        p_landscape=Number.of(probability.healthy),
        p_true=Number.of(probability.true),
        stability=health.stability.number,
        record=record,
        doubt=doubt,
        disagreement=overruled or _disagreement(health, probability),
    )


def _leads(
    diagnosis: Diagnosis, health: HealthRecord | None, outcomes: Sequence[StageOutcome]
) -> bool:
    """Whether the diagnosis is the verdict, where no samples were judged."""
    if health is None:
        return any(outcome.stage == "health" for outcome in outcomes)
    if not diagnosis.assessment.evidence.says_something:
        return True  # what says nothing is no evidence of health, whatever past runs it resembles
    return diagnosis.state == "failed" and health.label in ("healthy", "weak")


def _contradicts(health: HealthRecord, probability: Probability) -> bool:
    """Whether the word by definition and P(healthy) by past runs' distances are of two minds."""
    return (health.label == "healthy") != (float(probability.healthy.mean()) > 0.5)


def _undecided(
    health: HealthRecord,
    probability: Probability,
    record: str,
    doubt: bool,
    *,
    agreed: bool = True,
) -> VerdictRecord:
    p = Number.of(probability.both)
    why = (
        f"P(healthy) is {percent(p)}, not far enough from one half for a verdict in words."
        if agreed
        else f"by definition it looks {health.label}, but past runs whose samples were as far from "
        f"their data make P(healthy) {percent(p)}; look at the samples."
    )
    return VerdictRecord(
        state="unknown",
        label=None,
        sentence=f"Unknown: {why}",
        failed=None,
        onset=None,
        onset_interval=None,
        probabilities={k: float(v) for k, v in health.probabilities.items()},
        p_healthy=p,
        p_landscape=Number.of(probability.healthy),
        p_true=Number.of(probability.true),
        stability=health.stability.number,
        record=record,
        doubt=doubt,
        disagreement=None,
    )


def _by_diagnosis(
    diagnosis: Diagnosis,
    health: HealthRecord | None,
    outcomes: Sequence[StageOutcome],
    record: str,
    doubt: bool,
) -> VerdictRecord:
    found = diagnosis.assessment
    past, why = None, found.why
    if health is None and found.state == "unknown":
        why = f"{why.removesuffix('.')}; {_why_no_verdict(outcomes)}"
    if health is not None and found.state != "unknown":
        past = (
            f"Past runs alone would call it {health.label}; a fault that follows from the "
            "objective stands above that."
        )
    return VerdictRecord(
        state=found.state,
        label=found.label,
        sentence=f"{found.state.capitalize()}: {_continued(why)}.",
        failed={"failed": True, "healthy": False}.get(found.state),
        onset=found.since,
        onset_interval=None,
        probabilities={},
        p_healthy=Number(found.p_healthy, *found.interval),
        stability=None,
        record=record,
        doubt=doubt,
        disagreement=past,
    )


def _continued(why: str) -> str:
    """Reason as it goes on after a colon: in lower case, but for a word in capitals."""
    first = why.split()[0] if why else ""
    return (why if first.isupper() else f"{why[:1].lower()}{why[1:]}").removesuffix(".")


def _overruled(diagnosis: Diagnosis, state: str) -> str | None:
    """Sentence for samples that contradict a failed or healthy diagnosis; None where none do."""
    if {diagnosis.state, state} != {"failed", "healthy"}:
        return None
    return (
        f"The series alone would be called {diagnosis.state} "
        f"({diagnosis.assessment.why.removesuffix('.')}); the samples overrule them."
    )


def _sentence(health: HealthRecord, recorded: int, length: int) -> str:
    word = health.label.capitalize()
    if health.label == UNTRAINED:
        return "Untrained: no sample step was good, and the samples still get better."
    if health.label == "healthy" and recorded < length:
        return f"Healthy so far, to step {recorded:,} of {length:,}."
    if health.label == "healthy":
        return "Healthy to the end of the record."
    if _onset(health) is None or health.onset is None:
        return f"{word}{_without_onset(health)}."
    if health.onset_interval is None:
        return f"{word} since step {health.onset:,}."
    low, high = health.onset_interval
    return f"{word} since step {health.onset:,} ({low:,} to {high:,})."


def _why_no_verdict(outcomes: Sequence[StageOutcome]) -> str:
    reasons = [o.reason for o in outcomes if o.stage == "health" and o.reason]
    return reasons[0].rstrip(".") if reasons else "no health stage was run"


def _onset(health: HealthRecord) -> int | None:
    """Onset of the bad stretch; None where nothing was good before it."""
    return None if _never_good(health) else health.onset


def _never_good(health: HealthRecord) -> bool:
    return bool(len(health.good)) and float(np.nanmax(health.good, initial=0.0)) < 0.5


def _without_onset(health: HealthRecord) -> str:
    """Reason why a run that is not healthy has no onset, where that is clear."""
    if _never_good(health):
        return "; no sample step was good"
    return "; good at some sample steps" if health.label == "oscillating" else ""


def _disagreement(health: HealthRecord, probability: Probability) -> str | None:
    if not disagree(probability, health.label):
        return None
    p, p_true = float(probability.both.mean()), float(probability.true.mean())
    if health.label == "healthy" and p_true < 0.5:
        return (
            "What was recorded looks healthy, but the probability that the record is genuine is "
            f"{percent_alone(p_true)}: P(healthy) {percent_alone(p)} counts that, and leads."
        )
    source = "" if probability.by == "the record" else f", by {probability.by},"
    return (
        f"The records look {health.label}, but P(healthy){source} is {percent_alone(p)}; "
        "the probability is calibrated and leads."
    )
