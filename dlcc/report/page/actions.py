"""Actions: the two or three things to do, each with the command for it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from dlcc.records import Samples, Snapshots
from dlcc.report.record import Report
from dlcc.report.text import percent
from dlcc.runs import Run

_MOST = 3


@dataclass(frozen=True)
class Action:
    """One thing to do."""

    words: str
    """Sentence that says what to do."""
    command: str | None = None
    """Command that does it, or the folder to keep; None where there is none."""


def actions(report: Report, run: Run, best: int | None, unit: str = "step") -> tuple[Action, ...]:
    """Say what to do about a run, the most urgent first; at most three things.

    Args:
        report: Report on the run.
        run: The run.
        best: Best sample step; None where none was judged.
        unit: Unit of a step.
    """
    found = list(_actions(report, run, best, unit))
    return tuple(found[:_MOST])


def _actions(report: Report, run: Run, best: int | None, unit: str) -> Iterator[Action]:
    verdict, path = report.verdict, str(run.path)
    if verdict.doubt:
        yield Action("Find out why the record and the code disagree before you use it.")
    if verdict.state == "unknown":
        yield from _to_know_more(report, run)
        return
    kept = _keep(report, run, best, unit)
    if kept is not None:
        yield kept
    if report.advice is not None and report.advice.changes:
        change = report.advice.changes[0]
        tried = "Try in reruns" if report.advice.why_no_reruns is None else "Change"
        yield Action(
            f"{tried} {change.words}: P(healthy) {percent(change.p_healthy)} by past runs.",
            f"dlcc advise {shlex.quote(path)}" if report.advice.why_no_reruns is None else None,
        )
    for finding in report.findings:
        if finding.severity == "error" and finding.remedy:
            yield Action(finding.remedy, f"dlcc explain {finding.code}")
    if verdict.label == "untrained":
        yield Action("Train on: it still improves.")
    elif report.run.recorded < report.run.length <= report.run.until:
        yield Action("Look again while it trains.", f"dlcc watch {shlex.quote(path)}")
    elif verdict.state == "healthy":
        yield Action("Compare it with your other runs.", f"dlcc compare {shlex.quote(path)} OTHER")


def review_command(run: Run) -> str:
    """Command that puts a run, and those beside it, forward for a review."""
    beside = run.path.parent if run.path.name else run.path.resolve().parent
    return f"dlcc review {shlex.quote(str(beside))} --web"


def _keep(report: Report, run: Run, best: int | None, unit: str) -> Action | None:
    """Advice to keep the newest snapshot that is not behind the best step."""
    quality = report.diagnosis.quality if report.diagnosis else None
    step = best if best is not None else None if quality is None else quality.best_step
    if step is None or report.verdict.label == "untrained":
        return None
    snapshots = Snapshots.of(run, report.run.until)
    before = [s for s in snapshots or () if s.step <= step]
    if not before:
        return Action(f"Keep what was saved nearest to {unit} {step:,}, the best.")
    chosen = before[-1]
    what = "the best" if chosen.step == step else f"the last one up to the best, step {step:,}"
    return Action(f"Keep the snapshot of step {chosen.step:,}, {what}.", str(chosen.path))


def _to_know_more(report: Report, run: Run) -> Iterator[Action]:
    path = shlex.quote(str(run.path))
    samples = Samples.of(run, report.run.until)
    if samples is not None and samples.reference is None:
        yield Action(
            "Name the real data, so that the samples can be held against it.",
            f"dlcc evaluate {path} --reference FOLDER",
        )
    for wanted in report.diagnosis.to_know_more if report.diagnosis else ():
        yield Action(f"{wanted[:1].upper()}{wanted[1:]}.")
    if samples is not None:
        yield Action("Look at the samples yourself, and say what you see.", review_command(run))
