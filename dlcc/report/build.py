"""Building of a report from the outcomes of stages and their judgement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from dlcc.diagnosis import JUDGE_SAMPLES, Diagnosis, finding_json
from dlcc.findings import Finding
from dlcc.kinds import kind_of
from dlcc.pipeline import StageOutcome
from dlcc.records import AdviceRecord, Config, HealthRecord, MeasuredLandscape
from dlcc.report.fusion import correction_record, fusion_record
from dlcc.report.landscape_record import landscape_record
from dlcc.report.record import (
    DiagnosisRecord,
    FindingRecord,
    Report,
    RunSummary,
    StageRecord,
    VerdictRecord,
)
from dlcc.report.score_record import HyperScoreRecord, TermRecord
from dlcc.report.text import printable
from dlcc.report.verdict import verdict_record
from dlcc.scoring.fusion import Score
from dlcc.scoring.judgement import Judgement
from dlcc.scoring.value import Value

_ABBREVIATION = 3  # letters of a kind's name that is written in capitals: GAN, VAE
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
    diagnosis: Diagnosis | None = None,
    known_data: bool = True,
    environment: Mapping[str, Any],
) -> Report:
    """Build the report of one evaluation; every argument but `environment` is reproducible."""
    score, value = judgement.score, judgement.score.value
    verdict = verdict_record(
        config, recorded, health, judgement.probability, outcomes, diagnosis, known_data
    )
    scored = score.is_measured and verdict.state != "unknown"
    report = Report(
        run=_summary(name, config, recorded, until),
        verdict=verdict,
        diagnosis=None if diagnosis is None else _diagnosis(diagnosis, outcomes),
        terms=tuple(_terms(outcomes, score)),
        value=value.value if scored else None,
        hyperscore=_hyperscore(value) if scored else None,
        fusion=fusion_record(score.weights),
        axioms=judgement.axioms,
        correction=correction_record(score.correction),
        findings=tuple(_findings(outcomes, diagnosis, config, verdict)),
        advice=None if verdict.state == "unknown" else advice,
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
    kind = declared[:40] if isinstance(declared, str) else ""
    kind = kind.upper() if len(kind) <= _ABBREVIATION else kind
    usual = kind_of({})
    if not kind and config.players and usual.fits(config.players):
        kind = usual.name.upper()
    loss = config.objective.get("loss")
    words = [kind or "training of an undeclared kind"]
    if isinstance(loss, str):
        titles = {known.name: known.title for known in kind_of(config.objective).objectives}
        words.append(titles.get(loss, loss[:40]))
    return ", ".join(words)


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


def _diagnosis(diagnosis: Diagnosis, outcomes: Sequence[StageOutcome]) -> DiagnosisRecord:
    found = diagnosis.assessment
    asked = any(outcome.stage == "health" for outcome in outcomes)  # it says what it did with them
    missing = [what for what in found.missing if not (asked and what == JUDGE_SAMPLES)]
    return DiagnosisRecord(
        format=diagnosis.format,
        state=found.state,
        since=found.since,
        why=found.why,
        quality=found.quality,
        to_know_more=tuple(missing),
    )


_SAME: Mapping[str, tuple[str, ...]] = {
    "NAN001": ("GAN001", "GEN003", "REC002"),
    "NAN002": ("REC002",),
    "DIV001": ("GAN001", "GEN003"),
    "ADV001": ("GAN004",),
    "ADV002": ("GAN005",),
    "ADV006": ("GAN004",),
    "OSC001": ("GAN002",),
    "GRD001": ("GAN006",),
    "GRD002": ("GAN007",),
    "VAE001": ("GEN001",),
    "LGG001": ("REC001",),
}
"""Finding of the diagnosis -> findings of stages that say the same, and more of it."""


def _of_label(finding: Finding, verdict: VerdictRecord) -> Finding | None:
    """Finding that puts a label into words, as the verdict has it: since the same step, or not at
    all where the verdict is that no label is known."""
    if verdict.state == "unknown":
        return None
    if verdict.onset is None:
        return replace(finding, first_step=None, last_step=None)
    return replace(finding, first_step=verdict.onset)


def _findings(
    outcomes: Sequence[StageOutcome],
    diagnosis: Diagnosis | None,
    config: Config,
    verdict: VerdictRecord,
) -> list[FindingRecord]:
    """Findings of all stages, in step with the verdict, and of the diagnosis those that no stage
    has."""
    labels = {label.finding for label in kind_of(config.objective).labels if label.finding}
    told = [
        (outcome.stage, shown)
        for outcome in outcomes
        for finding in outcome.findings
        if (shown := _of_label(finding, verdict) if finding.code in labels else finding)
    ]
    codes = {finding.code for _, finding in told}
    if diagnosis is not None:
        told += [
            ("diagnosis", finding)
            for finding in diagnosis.assessment.findings
            if codes.isdisjoint(_SAME.get(finding.code, ()))
        ]
    rows = [
        FindingRecord(stage=stage, place=finding.place, **finding_json(finding))
        for stage, finding in told
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
