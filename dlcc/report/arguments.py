"""Arguments for and against the health of a run, from what a report is made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from dlcc.debate.debate import Argument, Claim, Debate, numbered
from dlcc.records import Forecast, HealthRecord, Reruns
from dlcc.report.record import Report
from dlcc.report.text import one_line, percent, percent_alone

REVIEW, SAMPLES, FAULT, PAST, SERIES = 5, 4, 3, 2, 1
"""Ranks of evidence: what a person saw; samples held against data; a fault that follows from first
principles, or a quality metric; past runs; what else series say."""
RECORD = ("samples", "past runs", "series", "quality metric", "first principles")
"""Speakers who rest on the record."""


def debate_of(
    report: Report,
    health: HealthRecord | None,
    reviews: Sequence[tuple[bool, str]] = (),
    *,
    forecast: Forecast | None = None,
    reruns: Reruns | None = None,
) -> Debate:
    """Put forward what speaks for the health of a run and what against it.

    Args:
        report: Report on the run.
        health: Health of the run; None where it was not judged.
        reviews: Reviews of this run: whether it was called healthy, and why.
        forecast: Forecast of its end, which speaks where it is not over.
        reruns: Reruns with other seeds.

    Returns:
        The debate.

    >>> from dlcc.evaluation import evaluate
    >>> from dlcc.records import Forecast, HealthRecord, Reruns
    >>> found = evaluate("runs/digits-collapsed", only=["health"])
    >>> debate = debate_of(found.report, found.record(HealthRecord))
    >>> debate.outcome, sorted({a.speaker for a in debate.arguments})
    ('not healthy', ['past runs', 'samples'])
    """
    return numbered(
        [
            *_of_reviews(reviews),
            *_of_the_record(report),
            *(_of_samples(health) if health is not None else ()),
            *_of_past_runs(report, health),
            *_of_the_diagnosis(report, health),
            *_of_the_forecast(report, forecast),
            *_of_reruns(reruns),
            *_of_findings(report),
        ]
    )


def _of_reviews(reviews: Sequence[tuple[bool, str]]) -> Iterator[Argument]:
    for healthy, reason in reviews:
        said = f"Somebody looked at it and called it {'healthy' if healthy else 'not healthy'}"
        why = f": {one_line(reason)}" if reason else ""
        yield Argument(
            "", "review", "healthy" if healthy else "not healthy", f"{said}{why}.", REVIEW
        )


def _of_the_record(report: Report) -> Iterator[Argument]:
    if report.verdict.doubt:
        yield Argument(
            "",
            "record",
            "not healthy",
            f"The record contradicts itself or its code: {one_line(report.verdict.record)}.",
            REVIEW,
            voids=RECORD,
        )


def _has_samples(health: HealthRecord | None) -> bool:
    return health is not None and not np.isnan(np.asarray(health.coverage)).all()


def _of_samples(health: HealthRecord) -> Iterator[Argument]:
    """Definitions on samples, or else on series."""
    good = np.asarray(health.good, dtype=np.float64)
    if not len(good):
        return
    late = float(np.nanmean(good[3 * len(good) // 4 :])) if np.isfinite(good).any() else np.nan
    claim = _claim(health.label == "healthy")
    if not _has_samples(health):
        yield Argument(
            "", "series", claim,
            f"The course of losses and gradients looks {health.label}.", SERIES,
        )  # fmt: skip
        return
    covered = np.asarray(health.coverage, dtype=np.float64)
    at_end = float(covered[np.flatnonzero(np.isfinite(covered))[-1]])
    yield Argument(
        "", "samples", claim,
        f"Held against real data the samples look {health.label}: in the last quarter they are "
        f"good with a probability of {percent_alone(late)}, and at the end they cover "
        f"{percent_alone(min(at_end, 1.0))} of the data.",
        SAMPLES,
    )  # fmt: skip


def _of_past_runs(report: Report, health: HealthRecord | None) -> Iterator[Argument]:
    """P(healthy) as past runs calibrate it; silent where its interval holds one half."""
    p = report.verdict.p_landscape
    if p is None or health is None or p.low <= 0.5 <= p.high:
        return
    claim = _claim(p.mean > 0.5)
    yield Argument(
        "", "past runs", claim,
        f"Of past runs whose end looked like this {percent(p)} were healthy.",
        SAMPLES if _has_samples(health) else PAST,
    )  # fmt: skip


def _of_the_diagnosis(report: Report, health: HealthRecord | None) -> Iterator[Argument]:
    found = report.diagnosis
    if found is None:
        return
    if found.quality is not None and found.state in ("healthy", "failed", "suspect"):
        claim = _claim(found.state == "healthy")
        yield Argument("", "quality metric", claim, _sentence(found.why), FAULT)
    elif found.state in ("failed", "suspect"):
        yield Argument("", "first principles", "not healthy", _sentence(found.why),
                       FAULT if found.state == "failed" else SERIES)  # fmt: skip
    elif found.state == "unknown" and not _has_samples(health):
        yield Argument(
            "", "first principles", "void",
            f"{_sentence(found.why)} So series that look healthy prove nothing.", FAULT,
            voids=("series",),
        )  # fmt: skip


def _of_the_forecast(report: Report, forecast: Forecast | None) -> Iterator[Argument]:
    if forecast is None or report.run.recorded >= report.run.length:
        return
    p = forecast.p_healthy.number
    if not p.low <= 0.5 <= p.high:
        said = f"Of past runs that were like it so far {percent(p)} ended healthy."
        yield Argument("", "forecast", _claim(p.mean > 0.5), said, SERIES)


def _of_reruns(reruns: Reruns | None) -> Iterator[Argument]:
    own = [] if reruns is None else [o for o in reruns.outcomes if o.kind == "seed"]
    healthy = sum(o.label == "healthy" for o in own)
    if own and healthy in (0, len(own)):
        word = "all" if healthy else "none"
        said = f"Of {len(own)} reruns with other seeds {word} ended healthy."
        yield Argument("", "reruns", _claim(bool(healthy)), said, SERIES)


def _of_findings(report: Report) -> Iterator[Argument]:
    """Findings beside those that put the label into words, or check the record."""
    for finding in report.findings:
        told = finding.stage in ("health", "diagnosis", "consistency", "execution")
        if not told and finding.severity != "note" and finding.stage != "reproducibility":
            said = f"{finding.code}, {finding.title}: {one_line(finding.message)}"
            yield Argument("", "findings", "not healthy", said, SERIES)


def _sentence(why: str) -> str:
    said = one_line(why)
    return f"{said[:1].upper()}{said[1:].removesuffix('.')}."


def _claim(healthy: bool) -> Claim:
    return "healthy" if healthy else "not healthy"
