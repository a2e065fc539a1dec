"""Views of a diagnosis: lines for a terminal, Markdown, SARIF."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dlcc.diagnosis import Diagnosis
from dlcc.estimate import Number
from dlcc.findings import Finding
from dlcc.report.text import one_line, percent
from dlcc.version import __version__

_WIDTH = 100
_SHOWN_NOTES = 6
_COLOURS = {"error": "31", "warning": "33", "note": "36"}
_STATE_COLOURS = {"failed": "31", "suspect": "33", "healthy": "32", "unknown": "36"}
_KINDS = {
    "gan": "GAN", "vae": "VAE", "autoencoder": "autoencoder",
    "diffusion": "diffusion model, no game",
    "map": "map", "unknown": "one loss, no game",
}  # fmt: skip
_OBJECTIVES = {
    "ns": "cross-entropy", "mm": "minimax", "ls": "least squares", "hinge": "hinge",
    "wgan": "Wasserstein", "wgangp": "Wasserstein, gradient penalty",
    "relativistic": "relativistic",
    "began": "BEGAN",
}  # fmt: skip


def in_lines(diagnosis: Diagnosis, *, colour: bool = False) -> str:
    """Write a diagnosis for a terminal: what the run is, its state, findings, what to do.

    Args:
        diagnosis: Diagnosis of one run.
        colour: Whether state and severities are coloured by ANSI escape sequences.

    Returns:
        Lines of at most 100 columns.

    >>> from dlcc.diagnosis import diagnose
    >>> print(in_lines(diagnose("runs/digits-collapsed")).partition(",")[0])
    digits-collapsed   DLCC run folder
    """
    paint = _paint if colour else _plain
    found = diagnosis.assessment
    lines = [_headline(diagnosis)]
    probability = percent(Number(found.p_healthy, *found.interval))
    state = paint(found.state, _STATE_COLOURS[found.state])
    lines += _wrapped(
        f"{state}   ", one_line(found.why).removesuffix(".") + ".", len(found.state) + 3
    )
    if found.state != "unknown":
        lines.append(f"{'':{len(found.state) + 3}}P(healthy) {probability}")
    lines += [line for finding in found.findings for line in _finding(diagnosis, finding, paint)]
    if found.missing:
        lines += _wrapped("To know more: ", "; ".join(found.missing), 14)
    notes = [one_line(note) for note in diagnosis.notes]
    for note in notes[:_SHOWN_NOTES]:
        lines += _wrapped("note  ", note, 6)
    if len(notes) > _SHOWN_NOTES:
        lines.append(f"note  {len(notes) - _SHOWN_NOTES} more; all are in --json")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _headline(diagnosis: Diagnosis) -> str:
    record = diagnosis.record
    kind = _KINDS.get(record.kind, one_line(record.kind))
    stated = record.objective
    objective = f", {_OBJECTIVES.get(stated, stated)}" if stated else ""
    last = max(
        (int(c.steps[-1]) for c in record.series.columns.values() if len(c.steps)), default=0
    )
    rows = f"{diagnosis.rows:,} row{'s' if diagnosis.rows != 1 else ''} to {record.unit} {last:,}"
    return f"{one_line(diagnosis.run)}   {diagnosis.format}, {rows}, {kind}{objective}"


def _finding(
    diagnosis: Diagnosis, finding: Finding, paint: Callable[[str, str], str]
) -> Iterator[str]:
    unit = diagnosis.record.unit
    place = f"{unit} {finding.first_step:,}" if finding.first_step is not None else ""
    severity = paint(f"{finding.severity:<7}", _COLOURS[finding.severity])
    yield f"  {finding.code} {severity} {place:<16} {finding.page.title}".rstrip()
    if finding is not _of_state(diagnosis):
        yield from _wrapped(" " * 17, one_line(finding.message), 17)
    if finding.severity != "note":
        yield from _wrapped(" " * 17, finding.page.remedy, 17)


def _of_state(diagnosis: Diagnosis) -> Finding | None:
    """Finding whose message is the reason of the state, and is not told twice."""
    found = diagnosis.assessment
    return found.findings[0] if found.state in ("failed", "suspect") and found.findings else None


def _wrapped(head: str, text: str, indent: int) -> list[str]:
    lines = textwrap.wrap(text, _WIDTH - indent, break_long_words=False, break_on_hyphens=False)
    return [head + lines[0], *(" " * indent + line for line in lines[1:])] if lines else []


def _plain(text: str, colour: str) -> str:
    return text


def _paint(text: str, colour: str) -> str:
    return f"\033[{colour}m{text}\033[0m"


def in_markdown(diagnoses: Sequence[Diagnosis]) -> str:
    """Write diagnoses as a Markdown table, with the findings below it.

    Args:
        diagnoses: Diagnoses of one or more runs.

    Returns:
        Markdown, for a pull request or an issue.

    >>> from dlcc.diagnosis import diagnose
    >>> in_markdown([diagnose("runs/digits-collapsed")]).splitlines()[0]
    '| run | state | P(healthy) | since | why |'
    """
    lines = ["| run | state | P(healthy) | since | why |", "|---|---|---|---|---|"]
    for diagnosis in diagnoses:
        found = diagnosis.assessment
        since = "" if found.since is None else f"{diagnosis.record.unit} {found.since:,}"
        p = percent(Number(found.p_healthy, *found.interval)) if found.state != "unknown" else ""
        lines.append(
            f"| {_cell(diagnosis.run)} | **{found.state}** | {p} | {since} | {_cell(found.why)} |"
        )
    for diagnosis in diagnoses:
        lines += [
            f"\n- `{finding.code}` {finding.severity}, {_cell(diagnosis.run)}: "
            f"{_cell(finding.message)} {finding.page.remedy}"
            for finding in diagnosis.assessment.findings
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return one_line(text).replace("|", "\\|")


def in_sarif(diagnoses: Sequence[Diagnosis]) -> dict[str, Any]:
    """Write diagnoses in the Static Analysis Results Interchange Format 2.1.0.

    Args:
        diagnoses: Diagnoses of one or more runs.

    Returns:
        Document that code hosts show beside a change.

    >>> from dlcc.diagnosis import diagnose
    >>> in_sarif([diagnose("runs/digits-collapsed")])["version"]
    '2.1.0'
    """
    pages = {f.code: f.page for d in diagnoses for f in d.assessment.findings}
    rules = [
        {
            "id": code,
            "shortDescription": {"text": page.title},
            "help": {"text": page.remedy},
            "defaultConfiguration": {"level": page.severity},
        }
        for code, page in sorted(pages.items())
    ]
    results = [
        {
            "ruleId": finding.code,
            "level": finding.severity,
            "message": {"text": f"{one_line(diagnosis.run)}: {one_line(finding.message)}"},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": diagnosis.path.as_posix()}}}
            ],
        }
        for diagnosis in diagnoses
        for finding in diagnosis.assessment.findings
    ]
    driver = {"name": "dlcc", "version": __version__, "rules": rules}
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def in_annotations(diagnosis: Diagnosis) -> str:
    """Write the findings of a diagnosis as commands of a GitHub workflow, which shows them.

    Args:
        diagnosis: Diagnosis of one run.

    Returns:
        Line a finding; empty without findings.

    >>> from dlcc.diagnosis import diagnose
    >>> in_annotations(diagnose("runs/digits-collapsed"))
    ''
    """
    levels = {"error": "error", "warning": "warning", "note": "notice"}
    lines = []
    for finding in diagnosis.assessment.findings:
        where = _property(diagnosis.path.as_posix())
        title = _property(f"{finding.code} {finding.page.title}")
        said = one_line(f"{diagnosis.run}: {finding.message} {finding.page.remedy}")
        message = said.replace("%", "%25")
        lines.append(f"::{levels[finding.severity]} file={where},title={title}::{message}\n")
    return "".join(lines)


def _property(text: str) -> str:
    """Escape a property of a workflow's command."""
    escaped = one_line(text).replace("%", "%25").replace(":", "%3A")
    return escaped.replace(",", "%2C")
