"""Evidence for the verdict, as findings, in the way that the run's kind names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dlcc.findings import Finding
from dlcc.health.run_features import RunFeatures
from dlcc.kinds import HealthLabel
from dlcc.records import HealthRecord, Samples, Series
from dlcc.stages.health import adversarial_findings, sample_findings


@dataclass(frozen=True)
class Judged:
    """Run and the verdict on it."""

    record: HealthRecord
    features: RunFeatures
    objective: Mapping[str, Any]
    series: Series
    samples: Samples | None


EVIDENCE: Mapping[str, Callable[[Judged], Iterable[Finding]]] = {
    "adversarial": lambda run: adversarial_findings.findings_of(run.record, run.features),
    "samples": lambda run: sample_findings.findings_of(
        run.record, run.features, run.objective, run.series, run.samples
    ),
}
"""Name that a kind gives -> function that puts a verdict into findings."""


def findings_of(run: Judged) -> list[Finding]:
    """Make the findings for a verdict and its causes."""
    kind = run.features.curves.kind
    label = kind.label(run.record.label)
    if label.marks:
        return [_marked(run, label)]
    return list(EVIDENCE[kind.evidence](run))


def _marked(run: Judged, label: HealthLabel) -> Finding:
    """Make the finding for a label that the kind tells by marks: the marks and the run's values."""
    assert label.finding is not None
    features = run.record.features
    parts = []
    for mark in label.marks:
        bounds = [(">", mark.above), ("<", mark.below)]
        said = " and ".join(f"{sign} {bound:g}" for sign, bound in bounds if abs(bound) < 1e300)
        parts.append(f"{mark.feature} is {features[mark.feature]:.4g} (mark: {said})")
    return Finding(
        label.finding,
        f"{', '.join(parts)}.",
        first_step=run.record.onset,
        last_step=None if run.record.onset is None else run.features.recorded,
        evidence={mark.feature: round(features[mark.feature], 4) for mark in label.marks},
    )
