"""Diagnosis of a run in a second: what it is, its state, since when, and what to do.

Nothing here imports torch, or needs it to be installed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.detect import Assessment, TrainingRecord, detect
from dlcc.errors import OptionError, RunError
from dlcc.findings import Finding
from dlcc.kinds.gan import GAN
from dlcc.kinds.kind import Output
from dlcc.runs import Run
from dlcc.runs.formats import formats, open_each
from dlcc.runs.formats.foreign import ForeignContents
from dlcc.runs.formats.foreign_config import OBJECTIVES
from dlcc.runs.formats.format import checked_mapping
from dlcc.runs.roles import RoleOfColumn
from dlcc.runs.roles.names import words_of
from dlcc.runs.series import Series

_RAW_OUTPUTS = frozenset(["logit", "logits", "score", "scores"])
_PROBABILITIES = frozenset(["prob", "probs", "probability", "probabilities"])

JUDGE_SAMPLES = "hold its samples against data (the health stage of dlcc evaluate)"
"""Advice for a run with samples, which a diagnosis does not look at."""


@dataclass(frozen=True)
class Diagnosis:
    """Diagnosis of one run.

    >>> found = diagnose("runs/digits-collapsed")
    >>> found.run, found.record.kind
    ('digits-collapsed', 'gan')
    """

    run: str
    """Name of the run."""
    path: Path
    """Folder or file that was read."""
    format: str
    """Format in words."""
    record: TrainingRecord
    assessment: Assessment
    roles: tuple[RoleOfColumn, ...]
    """Role of each column; empty for a run whose series have our names."""
    rows: int
    """Number of rows of the session that is judged."""
    notes: tuple[str, ...]
    """Sentences on how the record was read."""

    @property
    def state(self) -> str:
        """State: `healthy`, `suspect`, `failed` or `unknown`."""
        return self.assessment.state

    def to_json(self) -> dict[str, Any]:
        """Put the diagnosis into plain values, with null for what is not finite.

        Returns:
            Object as `dlcc diagnose --json` prints it.

        >>> diagnose("runs/digits-collapsed").to_json()["axis"]["unit"]
        'step'
        """
        found = self.assessment
        steps = [c.steps for c in self.record.series.columns.values() if len(c.steps)]
        content = {
            "run": str(self.path),
            "name": self.run,
            "format": self.format,
            "kind": self.record.kind,
            "objective": self.record.objective,
            "rows": self.rows,
            "sessions": self.record.sessions,
            "axis": {
                "unit": self.record.unit,
                "first": min((int(s[0]) for s in steps), default=None),
                "last": max((int(s[-1]) for s in steps), default=None),
                "length": self.record.length,
            },
            "roles": {
                role.column: None if role.role is None else role.role.name for role in self.roles
            },
            "state": found.state,
            "label": found.label,
            "since": found.since,
            "p_healthy": round(found.p_healthy, 4),
            "interval": [round(bound, 4) for bound in found.interval],
            "why": found.why,
            "quality": None if found.quality is None else asdict(found.quality),
            "findings": [finding_json(finding) for finding in found.findings],
            "to_know_more": list(found.missing),
            "notes": list(self.notes),
        }
        return {key: _finite(value) for key, value in content.items()}


def finding_json(finding: Finding) -> dict[str, Any]:
    """Put a finding into plain values.

    Args:
        finding: Finding.

    Returns:
        Code, severity, title, player, steps, message, evidence and remedy.

    >>> finding_json(Finding("SES001", "2 sessions."))["severity"]
    'note'
    """
    return {
        "code": finding.code,
        "severity": finding.severity,
        "title": finding.page.title,
        "player": finding.player,
        "first_step": finding.first_step,
        "last_step": finding.last_step,
        "message": finding.message,
        "evidence": dict(finding.evidence),
        "remedy": finding.page.remedy,
    }


def _finite(value: Any) -> Any:
    """Copy plain values with null in place of what is not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def diagnose(
    path: str | Path,
    mapping: Mapping[str, str] | None = None,
    *,
    part: str | None = None,
    kind: str | None = None,
    objective: str | None = None,
    reference: str | Path | None = None,
) -> Diagnosis:
    """Diagnose the run in a folder or a file.

    Args:
        path: Folder or file, of any tool.
        mapping: Series to the column that holds it, where the names do not tell.
        part: Name of one of several runs; None for the only one, or that with most rows.
        kind: Kind of training, such as `vae`; None to tell it from the record.
        objective: Objective of the game, one of `OBJECTIVES`; None to tell it from the record.
        reference: Training data for samples beside the record, which are noted and not judged here.

    Returns:
        Diagnosis.

    Raises:
        RunError: There is nothing that can be read.
        OptionError: A column, the kind, the objective or the reference is not known.

    >>> diagnose("runs/digits-collapsed").state in ("suspect", "failed", "unknown")
    True
    """
    run = Run.open(path, mapping, part, reference)
    return diagnose_run(run, kind=kind, objective=objective)


def diagnose_all(
    path: str | Path,
    mapping: Mapping[str, str] | None = None,
    *,
    kind: str | None = None,
    objective: str | None = None,
    reference: str | Path | None = None,
    left_out: Callable[[RunError], None] | None = None,
) -> Iterator[Diagnosis]:
    """Diagnose every run in a folder, one after the other.

    Args:
        path: Folder of runs of any tools.
        mapping: Series to the column that holds it, for all of them.
        kind: Kind of training; None to tell it from each record.
        objective: Objective of the game; None to tell it from each record.
        reference: Training data for samples beside the records of other tools.
        left_out: Called with the error for each run that cannot be read; None to raise it.

    Yields:
        Diagnoses in the order of the runs' paths.

    Raises:
        RunError: There is nothing that can be read.
        OptionError: A column or the objective is not known.

    >>> [found.run for found in diagnose_all("runs/digits-collapsed")]
    ['digits-collapsed']
    """
    path = Path(path)
    if not path.is_dir() or any(f.recognises(path) for f in formats()):
        yield diagnose(path, mapping, kind=kind, objective=objective, reference=reference)
        return

    def refuse(error: RunError) -> None:
        if left_out is None:
            raise error
        left_out(error)

    names = checked_mapping(mapping)
    named = None if reference is None else Path(reference)
    for folder, name, contents in open_each(path, names, refuse, named):
        run = Run(folder, contents, names, name)
        yield diagnose_run(run, kind=kind, objective=objective)


def diagnose_run(
    run: Run,
    *,
    kind: str | None = None,
    objective: str | None = None,
    until: int | None = None,
    series: Series | None = None,
) -> Diagnosis:
    """Diagnose a run that was opened.

    Args:
        run: Run of any format.
        kind: Kind of training; None to take that of the run.
        objective: Objective of the game; None to take that of the run.
        until: Step before which rows are looked at; None for all.
        series: Series before that step, where they were read already.

    Returns:
        Diagnosis.

    Raises:
        SeriesError: The series had to be read and are damaged.
        OptionError: The objective is not known.

    >>> diagnose_run(Run.open("runs/digits-collapsed"), until=700).rows
    700
    """
    if objective is not None and objective not in OBJECTIVES:
        raise OptionError(f"--objective {objective}: expected one of {', '.join(OBJECTIVES)}")
    record, roles, form = _record(run, until, run.series(until) if series is None else series)
    if kind is not None:
        record = replace(record, kind=kind)
    if objective is not None:
        record = replace(record, objective=objective, stated_in="you said so")
    with np.errstate(over="ignore", invalid="ignore"):  # of numbers that diverged
        found = detect(record)
    # a note says what to do with another tool's samples, and does so without decoding one
    ours = not isinstance(run.contents, ForeignContents)
    if ours and found.missing and run.sample_steps(until):
        found = replace(found, missing=(JUDGE_SAMPLES, *found.missing))
    return Diagnosis(
        run=run.name,
        path=run.path,
        format=form,
        record=record,
        assessment=found,
        roles=roles,
        rows=record.series.rows,
        notes=run.notes,
    )


def _record(
    run: Run, until: int | None, series: Series
) -> tuple[TrainingRecord, tuple[RoleOfColumn, ...], str]:
    """Record of a run as checks want it, the roles of its columns, and its format in words."""
    contents, manifest = run.contents, run.manifest
    kind = str(manifest.objective.get("kind", "unknown"))
    loss = manifest.objective.get("loss")
    objective = loss if isinstance(loss, str) and loss in OBJECTIVES else None
    if not isinstance(contents, ForeignContents):
        record = TrainingRecord(
            series,
            kind,
            objective,
            "run.json states it",
            length=manifest.length,
            settings=manifest.config,
            outputs=_outputs_of(kind, objective),
        )
        return record, (), "DLCC run folder"
    sessions = contents.sessions
    record = TrainingRecord(
        series=series,
        kind=kind,
        objective=objective,
        stated_in=contents.objective_from,
        unmapped=contents.unmapped().before(until),
        clock=contents.clock(until),
        sessions=len(sessions),
        session_words=contents.session_words if len(sessions) > 1 else "",
        unit=contents.axis.unit,
        length=manifest.length,
        rates=contents.rates().before(until).columns,
        augmentation=contents.augmentation().before(until).columns,
        settings=manifest.config,
        outputs=_outputs_by_name(contents),
    )
    return record, contents.roles.columns, contents.table.title


def _outputs_of(kind: str, objective: str | None) -> Output | None:
    """Scale of the discriminator's outputs in records of ours, which the objective fixes."""
    known = GAN.objectives if kind == GAN.name else ()
    return next((o.output for o in known if o.name == objective), None)


def _outputs_by_name(contents: ForeignContents) -> Output | None:
    """Scale of the discriminator's outputs by the names of their columns."""
    columns = contents.roles.series()
    names = [columns[name] for name in columns if name.endswith(("/real", "/fake"))]
    words = [set(words_of(name)) for name in names]
    if words and all(found & _RAW_OUTPUTS for found in words):
        return "raw"
    if words and all(found & _PROBABILITIES for found in words):
        return "probability"
    return None


def to_json_line(diagnosis: Diagnosis) -> str:
    """Write a diagnosis as one line of JSON.

    Args:
        diagnosis: Diagnosis.

    Returns:
        Line without its end.

    >>> to_json_line(diagnose("runs/digits-collapsed"))[:8]
    '{"run": '
    """
    return json.dumps(diagnosis.to_json(), allow_nan=False, ensure_ascii=False)
