"""Terminal view of a report: verdict first, then why, then what to do, within 80 columns.

It is plain text. On a terminal severity and verdict are coloured, too; no meaning is in the colour
alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator

from dlcc.report.record import FindingRecord, Report
from dlcc.report.score_record import TermRecord
from dlcc.report.text import percent

WIDTH = 80
_SHOWN = 8  # findings; the rest is in the HTML report
_Painter = Callable[[str, str], str]
_COLOURS = {"error": "31", "warning": "33", "note": "36", "good": "32", "strong": "1"}


def render(
    report: Report, *, run: str = "RUN", html: str | None = None, colour: bool = False
) -> str:
    """Render a report for a terminal: verdict, terms, findings, and what to change.

    Args:
        report: Report of one run.
        run: Path of the run, for the commands that the text names.
        html: Path of the HTML report to point at; None where there is none.
        colour: Whether severity and verdict are coloured by ANSI escape sequences.

    Returns:
        Lines of at most 80 columns.

    >>> from dlcc.evaluation import evaluate
    >>> from dlcc.report import render
    >>> report = evaluate("runs/ring-oscillating", only=("ingestion",)).report
    >>> print(render(report).partition("\\n\\n")[0])
    No verdict: no health stage was run.
    ring-oscillating   GAN, non-saturating on ring, 3,000 steps, record not checked
    To know more: hold its samples against data (the health stage of dlcc evaluate);
    log a quality metric of the samples (FID, KID or precision and recall)
    """
    paint = _paint if colour else _plain
    lines = [*_head(report, paint), "", *_findings(report, paint), *_changes(report, run)]
    lines += ["", *_scores(report), *_stages(report)]
    if html:
        lines += ["", f"Report  {html}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _plain(text: str, colour: str) -> str:
    return text


def _paint(text: str, colour: str) -> str:
    return f"\033[{_COLOURS[colour]}m{text}\033[0m"


def decimal(value: float) -> str:
    """Write a number with two decimals, such as `.97` and `1.00`."""
    text = f"{value:.2f}"
    return text[1:] if text.startswith("0") else text


def _head(report: Report, paint: _Painter) -> Iterator[str]:
    verdict, run = report.verdict, report.run
    colour = {True: "error", False: "good", None: "strong"}[verdict.failed]
    if verdict.failed is False and verdict.label != "healthy":
        colour = "warning"
    sentence = paint(verdict.sentence, colour)
    p = f"   P(healthy) {percent(verdict.p_healthy)}" if verdict.p_healthy else ""
    if len(verdict.sentence + p) <= WIDTH:
        yield sentence + p
    else:
        yield from (paint(line, colour) for line in textwrap.wrap(verdict.sentence, WIDTH))
        if p:
            yield p.strip()
    length = f"{run.recorded:,} of {run.length:,} steps"
    if run.recorded >= run.length:
        length = f"{run.length:,} steps"
    what = f"{run.name}   {run.kind}{f' on {run.data}' if run.data else ''}, {length}, "
    record = paint(verdict.record, "error") if verdict.doubt else verdict.record
    if len(what) + len(verdict.record) <= WIDTH:
        yield what + record
    else:
        yield what.rstrip(", ")
        yield record
    if verdict.state == "unknown" and report.diagnosis and report.diagnosis.to_know_more:
        yield from textwrap.wrap(f"To know more: {'; '.join(report.diagnosis.to_know_more)}", WIDTH)
    if verdict.disagreement:
        yield from textwrap.wrap(verdict.disagreement, WIDTH)


def _scores(report: Report) -> Iterator[str]:
    width = max(len(t.name) for t in report.terms)
    for term in sorted(report.terms, key=lambda t: -t.weight):
        yield from _term_lines(term, width)
    v, h = report.value, report.hyperscore
    yield ""
    if v is None or h is None:
        unknown = report.verdict.state == "unknown"
        why = "the verdict is unknown" if unknown else "most of their weight was not measured"
        yield f"  no V and no HyperScore: {why}"
        return
    yield (
        f"  V {decimal(v.mean)} ({decimal(v.low)} to {decimal(v.high)})   "
        f"HyperScore {h.mean:.1f} ({h.low:.1f} to {h.high:.1f}; "
        f"can be {h.lowest:g} to {h.highest:.1f})"
    )


def _term_lines(term: TermRecord, width: int) -> list[str]:
    shown = decimal(term.mean) if term.measured else " - "
    interval = f"{decimal(term.low)}-{decimal(term.high)}"
    head = f"  {term.name:<{width}}  {shown:>4}  {interval:>9}  x {decimal(term.weight)}  "
    return textwrap.wrap(
        term.note or "-", WIDTH, initial_indent=head, subsequent_indent=" " * len(head)
    )


def _findings(report: Report, paint: _Painter) -> Iterator[str]:
    if not report.findings:
        yield "Findings  none"
        return
    yield "Findings"
    for finding in report.findings[:_SHOWN]:
        yield from _finding_lines(finding, paint)
    if len(report.findings) > _SHOWN:
        yield f"  and {len(report.findings) - _SHOWN} more in the report"


def _changes(report: Report, run: str) -> Iterator[str]:
    """Say what findings advise, and which settings did better in past runs."""
    remedies = {f.code: f.remedy for f in report.findings[:_SHOWN] if f.severity == "error"}
    if remedies or report.advice:
        yield ""
        yield "What to change"
    for i, (code, remedy) in enumerate(remedies.items(), 1):
        yield from textwrap.wrap(
            f"{i}. {remedy} (dlcc explain {code})",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="     ",
        )
    if report.advice:
        before, reruns = percent(report.advice.another_seed), report.advice.reruns
        tried = f" ({reruns} reruns)" if reruns else ""
        by = "By this run's reruns first, then past runs," if reruns else "By past runs"
        yield f"  {by} P(healthy) is"
        yield f"    {before:16} with another seed alone{tried}"
        for change in report.advice.changes:
            yield f"    {percent(change.p_healthy):16} after {change.words}"
        if report.advice.why_no_reruns is None:
            yield f"  dlcc advise {run}   tries changes in reruns"
        else:
            why = f"Not tried in reruns: {report.advice.why_no_reruns}."
            yield from textwrap.wrap(why, WIDTH, initial_indent="  ", subsequent_indent="  ")


def _finding_lines(finding: FindingRecord, paint: _Painter) -> Iterator[str]:
    where = finding.place or ""
    if finding.first_step is not None and not finding.place:
        where = f"step {finding.first_step:,}"
    head = "  ".join(part for part in (finding.code, finding.title, where) if part)
    yield "  " + paint(head, finding.severity) + f"  [{finding.severity}]"
    yield from textwrap.wrap(
        finding.message, WIDTH, initial_indent="          ", subsequent_indent="          "
    )


def _stages(report: Report) -> Iterator[str]:
    silent = [s for s in report.stages if s.status != "scored"]
    if silent:
        yield ""
    for stage in silent:
        text = f"{stage.name} {stage.status}: {stage.reason}"
        yield from textwrap.wrap(text, WIDTH, subsequent_indent="  ")
