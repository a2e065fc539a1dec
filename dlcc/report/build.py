"""Building of a report from the outcomes of stages and their judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dlcc.estimate import Number
from dlcc.kinds import kind_of
from dlcc.pipeline import StageOutcome
from dlcc.records import AdviceRecord, Config, HealthRecord, MeasuredLandscape
from dlcc.report.fusion import correction_record, fusion_record
from dlcc.report.landscape_record import landscape_record
from dlcc.report.record import (
    FindingRecord,
    Report,
    RunSummary,
    StageRecord,
    VerdictRecord,
)
from dlcc.report.score_record import HyperScoreRecord, TermRecord
from dlcc.report.text import percent_alone, printable
from dlcc.scoring.calibration import Probability
from dlcc.scoring.fusion import Score
from dlcc.scoring.judgement import Judgement, disagree
from dlcc.scoring.value import Value

_META = "how little V moves when inputs move or are left out"
_SEVERITIES = ("error", "warning", "note")


def build_report(
    *,
    name: str,
    config: Config,
    recorded: int,
    until: int,
    outcomes: Sequence[StageOutcome],
    judgement: Judgement,
    health: HealthRecord | None,
    advice: AdviceRecord | None,
    landscape: MeasuredLandscape | None = None,
    environment: Mapping[str, Any],
) -> Report:
    """Build the report of one evaluation; every argument but `environment` is reproducible."""
    score, value = judgement.score, judgement.score.value
    verdict = _verdict(config, recorded, health, judgement.probability, outcomes)
    report = Report(
        run=_summary(name, config, recorded, until),
        verdict=verdict,
        terms=tuple(_terms(outcomes, score)),
        value=value.value,
        hyperscore=_hyperscore(value),
        fusion=fusion_record(score.weights),
        axioms=judgement.axioms,
        correction=correction_record(score.correction),
        findings=tuple(_findings(outcomes)),
        advice=advice,
        landscape=None if landscape is None else landscape_record(landscape),
        stages=tuple(_stage(outcome) for outcome in outcomes),
        environment={
            **environment,
            "stages": {o.stage: dict(o.environment) for o in outcomes if o.environment},
        },
    )
    # names, places and messages may come from a run that means harm
    parts = report.model_dump(by_alias=True)
    environment_shown = printable(parts.pop("environment"), lines=True)
    return Report.model_validate({**printable(parts), "environment": environment_shown})


def _summary(name: str, config: Config, recorded: int, until: int) -> RunSummary:
    return RunSummary(
        name=name,
        kind=kind_in_words(config),
        data=None if config.data.get("name") is None else str(config.data["name"])[:80],
        length=config.length,
        recorded=recorded,
        until=until,
        players={k: int(v.get("parameters", 0)) for k, v in config.players.items()},
    )


def kind_in_words(config: Config) -> str:
    """Name the kind and the objective that a run declares, such as `GAN, non-saturating`."""
    declared = config.objective.get("kind")
    kind = declared.upper()[:40] if isinstance(declared, str) else ""
    usual = kind_of({})
    if not kind and config.players and usual.fits(config.players):
        kind = usual.name.upper()
    loss = config.objective.get("loss")
    words = [kind or "training of an undeclared kind"]
    if isinstance(loss, str):
        titles = {known.name: known.title for known in kind_of(config.objective).objectives}
        words.append(titles.get(loss, loss[:40]))
    return ", ".join(words)


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


def _verdict(
    config: Config,
    recorded: int,
    health: HealthRecord | None,
    probability: Probability | None,
    outcomes: Sequence[StageOutcome],
) -> VerdictRecord:
    record, doubt = _record_in_words(outcomes)
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
    return VerdictRecord(
        label=health.label,
        sentence=_sentence(health, recorded, config.length),
        failed=health.label in kind_of(config.objective).failed,
        onset=health.onset,
        onset_interval=health.onset_interval,
        probabilities={k: float(v) for k, v in health.probabilities.items()},
        p_healthy=Number.of(probability.both),
        p_landscape=Number.of(probability.healthy),
        p_true=Number.of(probability.true),
        stability=health.stability.number,
        record=record,
        doubt=doubt,
        disagreement=_disagreement(health, probability),
    )


def _sentence(health: HealthRecord, recorded: int, length: int) -> str:
    word = health.label.capitalize()
    if health.label == "healthy" and recorded < length:
        return f"Healthy so far, to step {recorded:,} of {length:,}."
    if health.label == "healthy":
        return "Healthy to the end of the record."
    if health.onset is None:
        return f"{word}{_without_onset(health)}."
    if health.onset_interval is None:
        return f"{word} since step {health.onset:,}."
    low, high = health.onset_interval
    return f"{word} since step {health.onset:,} ({low:,} to {high:,})."


def _why_no_verdict(outcomes: Sequence[StageOutcome]) -> str:
    reasons = [o.reason for o in outcomes if o.stage == "health" and o.reason]
    return reasons[0].rstrip(".") if reasons else "no health stage was run"


def _without_onset(health: HealthRecord) -> str:
    """Reason why a run that is not healthy has no onset, where that is clear."""
    if len(health.good) and float(max(health.good)) < 0.5:
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


def _terms(outcomes: Sequence[StageOutcome], score: Score) -> list[TermRecord]:
    rows = []
    for term in score.value.terms:
        fed = [o for o in outcomes if term.name in o.terms]
        notes = [str(note) for o in fed if (note := o.details.get("note"))]
        if term.name == "meta" and not fed:
            notes = [_META]
        if not term.measured:
            imputed = score.imputed.get(term.name)
            notes = [imputed.words if imputed else "not measured"]
        rows.append(
            TermRecord(
                name=term.name,
                measured=term.measured,
                **asdict(term.number),
                weight=term.weight,
                contribution=term.contribution,
                stages=tuple(o.stage for o in fed),
                note="; ".join(notes),
            )
        )
    return rows


def _hyperscore(value: Value) -> HyperScoreRecord:
    score = value.hyperscore
    lowest, highest = score.range
    return HyperScoreRecord(
        **asdict(value.score),
        lowest=lowest,
        highest=highest,
        beta=score.beta,
        gamma=score.gamma,
        kappa=score.kappa,
    )


def _findings(outcomes: Sequence[StageOutcome]) -> list[FindingRecord]:
    rows = [
        FindingRecord(
            stage=outcome.stage,
            code=finding.code,
            title=finding.page.title,
            severity=finding.severity,
            message=finding.message,
            player=finding.player,
            first_step=finding.first_step,
            last_step=finding.last_step,
            place=finding.place,
            evidence=dict(finding.evidence),
            remedy=finding.page.remedy,
        )
        for outcome in outcomes
        for finding in outcome.findings
    ]
    return sorted(rows, key=lambda f: (_SEVERITIES.index(f.severity), f.code, f.first_step or 0))


def _stage(outcome: StageOutcome) -> StageRecord:
    return StageRecord(
        name=outcome.stage,
        describes=outcome.describes,
        version=outcome.version,
        settings=dict(outcome.settings),
        status=outcome.status,
        reason=outcome.reason,
        terms={name: e.number for name, e in sorted(outcome.terms.items())},
        digest=outcome.digest,
        details=dict(outcome.details),
    )
