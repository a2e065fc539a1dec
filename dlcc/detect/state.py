"""State of a training, from its findings and from what speaks for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dlcc.detect.began import measure_of
from dlcc.detect.evidence import Evidence, evidence_of
from dlcc.detect.progress import has_fallen, progress_of
from dlcc.detect.quality import Quality, quality_of
from dlcc.detect.training_record import TrainingRecord, finite
from dlcc.findings import Finding

State = Literal["healthy", "suspect", "failed", "unknown"]
PRIOR = 0.7
"""P(healthy) where nothing tells: a choice, made with public logs in sight of which four in five
end healthy, and with other records of which about half do. It is not calibrated."""
_LABELS = {
    "NAN001": "diverged", "DIV001": "diverged", "QLT003": "collapsed", "OSC001": "oscillating",
}  # fmt: skip
_ENOUGH_ROWS = 12


@dataclass(frozen=True)
class Assessment:
    """Assessment of a training from first principles."""

    state: State
    p_healthy: float
    interval: tuple[float, float]
    """90 % interval of P(healthy)."""
    why: str
    """Sentence on what the state rests on."""
    missing: tuple[str, ...]
    """Sentences on what to log to know more."""
    findings: tuple[Finding, ...]
    quality: Quality | None
    evidence: Evidence
    label: str | None = None
    since: int | None = None
    """First step of the finding that the state rests on."""


def assess(record: TrainingRecord, findings: Sequence[Finding]) -> Assessment:
    """Put findings and what speaks for a training into one state.

    Args:
        record: Record of the training.
        findings: Findings of all checks, worst first.

    Returns:
        Assessment: *failed* with an error, *suspect* with a warning, *healthy* with evidence for
        it, and else *unknown*.

    >>> from dlcc.runs.series import Series
    >>> assess(TrainingRecord(Series()), []).state
    'unknown'
    """
    quality, evidence = quality_of(record), evidence_of(record)
    worst = findings[0] if findings else None
    severity = None if worst is None else worst.severity
    state: State
    if worst is not None and severity == "error":
        state, why = "failed", worst.message
    elif worst is not None and severity == "warning":
        state, why = "suspect", worst.message
    elif reason := _speaks_for(record, quality):
        state, why = "healthy", reason
    else:
        state, why = "unknown", _says_nothing(record, quality, evidence)
    p, interval = _probability(state, quality, record)
    return Assessment(
        state=state,
        p_healthy=p,
        interval=interval,
        why=why,
        missing=_missing(record, quality, state),
        findings=tuple(findings),
        quality=quality,
        evidence=evidence,
        label=_label(state, worst),
        since=None if worst is None or severity == "note" else worst.first_step,
    )


def _label(state: State, worst: Finding | None) -> str | None:
    if state == "healthy":
        return "healthy"
    return _LABELS.get(worst.code) if worst is not None else None


def _speaks_for(record: TrainingRecord, quality: Quality | None) -> str | None:
    """Evidence for health in words; None without any."""
    if quality is not None and quality.improved and quality.ratio <= 1.15:
        name = quality.name.rpartition("/")[2]
        title = name.upper() if quality.name.startswith("metrics/") else quality.name
        return (
            f"{title} improves to {quality.last:.4g} ({record.unit} {quality.last_step:,}), its "
            f"best being {quality.best:.4g} ({record.unit} {quality.best_step:,})"
        )
    for pair in record.pairs if record.is_game and quality is None else ():
        measure = measure_of(record, pair)
        if measure is not None and measure.at_its_best:
            return (
                f"BEGAN's convergence measure falls from {measure.first:.4g} to "
                f"{measure.last:.4g}, its lowest being {measure.lowest:.4g}"
            )
    course = progress_of(record)
    held = record.get("validation/loss")
    if course is None or not course.fallen or (held is not None and not _held_fallen(record)):
        return None
    if "model/kl" in record.series:
        kl = finite(record.series["model/kl"]).values
        if not len(kl) or kl[-max(1, len(kl) // 10) :].mean() < 0.5:
            return None
        return (
            f"{course.name} falls from {course.first:.4g} to {course.last:.4g}, and the latents "
            f"are in use (KL {kl[-1]:.3g})"
        )
    return f"{course.name} falls from {course.first:.4g} to {course.last:.4g}"


def _held_fallen(record: TrainingRecord) -> bool:
    values = finite(record.series["validation/loss"]).values
    if len(values) < _ENOUGH_ROWS:
        return bool(len(values) > 1 and values[-1] < values[0])
    return has_fallen(values)


def _says_nothing(record: TrainingRecord, quality: Quality | None, evidence: Evidence) -> str:
    """Sentence on why nothing can be said."""
    rows = record.series.rows
    if quality is not None and quality.improved:
        name = quality.name.rpartition("/")[2]
        title = name.upper() if quality.name.startswith("metrics/") else quality.name
        return (
            f"{title} improved, and is neither near its best ({quality.best:.4g} at {record.unit} "
            f"{quality.best_step:,}) nor worse beyond its noise ({quality.last:.4g} at the end)"
        )
    if not record.series.columns:
        return "no column has a known role"
    if rows < _ENOUGH_ROWS:
        return f"{rows} row{'s' if rows != 1 else ''} {'is' if rows == 1 else 'are'} too few"
    if not evidence.says_something:
        return f"the series say nothing: {evidence.why}"
    if record.is_game:
        return "losses alone do not tell whether a game's samples are good, and show no fault"
    return "nothing speaks against the training, and nothing for it"


def _missing(record: TrainingRecord, quality: Quality | None, state: State) -> tuple[str, ...]:
    if state in ("failed", "healthy"):
        return ()
    said = []
    if not record.series.columns:
        said.append("name the columns: --map discriminator/loss=COLUMN --map generator/loss=COLUMN")
    if quality is None and record.is_game:
        said.append("log a quality metric of the samples (FID, KID or precision and recall)")
    if quality is None and not record.is_game:
        said.append("log the loss on held-out data")
    if record.is_game and not any(name.endswith("/real") for name in record.series):
        said.append("log the discriminator's mean outputs on real rows and on samples")
    if record.is_game and record.objective is None:
        said.append(
            "name the objective (dlcc diagnose --objective ns, hinge, ls, wgangp or relativistic)"
        )
    return tuple(said)


def _probability(
    state: State, quality: Quality | None, record: TrainingRecord
) -> tuple[float, tuple[float, float]]:
    """P(healthy) with its 90 % interval: by the quality metric where there is one, else state."""
    if quality is not None and quality.name.startswith("metrics/") and quality.count >= 4:
        p = 1 / (1 + math.exp(8.0 * (math.log(max(quality.ratio, 1.0)) - math.log(1.35))))
        p = min(max(p, 0.02), 0.95)
        if state == "failed":
            p = min(p, 0.1)
        if state == "suspect":
            p = min(p, 0.5)
        width = 0.15 + 0.3 / math.sqrt(quality.count)
        return p, (max(0.0, p - width * p - 0.02), min(1.0, p + width * (1 - p) + 0.02))
    fixed = {
        "failed": (0.05, (0.0, 0.2)),
        "suspect": (0.35, (0.1, 0.65)),
        "healthy": (0.85, (0.65, 0.97)),
        "unknown": (PRIOR, (0.15, 0.95)),
    }
    return fixed[state]
