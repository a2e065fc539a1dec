"""Worker: the child process in which one stage runs, `python -m dlcc.pipeline.worker FOLDER`.

The folder holds `request.json` and the records that the stage reads; the result is written there.
What goes in and out is JSON and safetensors, never pickle.
"""

from __future__ import annotations

import json
import os
import random
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlcc import codec
from dlcc.engine.compiler import postpone_compiler
from dlcc.errors import DlccError, StageDeclarationError
from dlcc.estimate import Estimate
from dlcc.findings import PAGES, Finding
from dlcc.findings.catalogue import add_pages_of, page_path, pages_of, read_page
from dlcc.pipeline import discovery
from dlcc.records import RUN_PARTS
from dlcc.stage import Case, Context, Deadline, NotApplicable, Stage, StageResult


@dataclass(frozen=True)
class Request:
    """Request to the worker: the stage to run, and what it reads."""

    run: str
    mapping: Mapping[str, str]
    """Mapping that another tool's folder is opened with."""
    part: str | None
    """Name of one of several runs there."""
    reference: str | None
    """Training data that were named for its samples."""
    until: int
    length: int
    stage: str
    """Type of the stage, as `module:Class`."""
    settings: str
    """Settings of the stage as JSON."""
    files: tuple[str, ...]
    """Stage files to load first, so that their types exist."""
    records: tuple[str, ...]
    """Type `module:Class` of each record of an earlier stage, which lies at `records/<index>`."""
    seed: int
    seconds: float
    trust: bool


@dataclass(frozen=True)
class Reply:
    """Reply of the worker: everything of a `StageResult` but its records, or why there is none."""

    status: str
    reason: str | None = None
    traceback: str | None = None
    terms: Mapping[str, Estimate] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    records: tuple[str, ...] = ()


def call(stage: Stage, case: Case, ctx: Context) -> tuple[Reply, tuple[Any, ...]]:
    """Run the stage, hold its result against its declaration, and put every end into words."""
    try:
        result = stage(case, ctx)
        check_result(stage, result)
    except NotApplicable as reason:
        return Reply("not applicable", reason=str(reason)), ()
    except Exception as error:
        return Reply("failed", reason=_one_sentence(error), traceback=traceback.format_exc()), ()
    records = tuple(result.records)
    reply = Reply(
        status="scored",
        terms=dict(result.terms),
        findings=tuple(result.findings),
        details=dict(result.details),
        environment=dict(result.environment),
        records=tuple(discovery.type_name(type(r)) for r in records),
    )
    return reply, records


def check_result(stage: Stage, result: object) -> None:
    """Refuse a result that breaks the stage's declaration; the StageDeclarationError names the
    fault."""
    name = stage.name
    if not isinstance(result, StageResult):
        raise StageDeclarationError(f"stage {name!r} returned {result!r}; expected a StageResult")
    for term, estimate in result.terms.items():
        if not isinstance(estimate, Estimate):
            raise StageDeclarationError(
                f"stage {name!r} gives the term {term!r} as {estimate!r}; expected an Estimate in "
                "[0, 1] (NaN has no place there: raise NotApplicable)"
            )
    given = [type(record) for record in result.records]
    for kind in given:
        if kind not in stage.gives:
            raise StageDeclarationError(
                f"stage {name!r} gives a {kind.__name__}, which it does not declare in `gives`"
            )
    for kind in stage.gives:
        if given.count(kind) != 1:
            raise StageDeclarationError(
                f"stage {name!r} declares {kind.__name__} in `gives` and gave {given.count(kind)}"
            )
    for part in ("details", "environment"):
        try:
            json.dumps(getattr(result, part))
        except (TypeError, ValueError) as error:
            raise StageDeclarationError(
                f"stage {name!r} gives {part} that are no JSON ({error}); plain values only"
            ) from error
    for finding in result.findings:
        if not isinstance(finding, Finding):
            raise StageDeclarationError(f"stage {name!r} gives {finding!r}; expected a Finding")
        check_page(stage, finding.code)


def check_page(stage: Stage, code: str) -> None:
    """Refuse, with StageDeclarationError, a code without a page, which is the stage's where it has
    one."""
    path = page_path(code)
    if path is None:
        raise StageDeclarationError(
            f"stage {stage.name!r} gives the finding {code!r}, which has no page: put one into "
            f"{PAGES / code}.md of its package, or beside its file (docs/stages.md)"
        )
    own = [file for folder in pages_of(type(stage)) if (file := folder / path.name).is_file()]
    if own and not any(path.samefile(file) for file in own):
        raise StageDeclarationError(
            f"stage {stage.name!r} gives the finding {code!r} with the page {own[0]}, but {path} "
            "has the code already; choose one that is free"
        )
    read_page(path)


def gather(
    run_path: str,
    until: int,
    kinds: Iterable[type[Any]],
    mapping: Mapping[str, str] | None = None,
    part: str | None = None,
    reference: str | Path | None = None,
) -> dict[type[Any], Any]:
    """Read the run's own parts among `kinds` from its folder; absent ones are left out."""
    from dlcc.runs import Run

    run = Run.open(run_path, mapping, part, reference)
    parts = {kind: kind.of(run, until) for kind in RUN_PARTS if kind in set(kinds)}
    return {kind: part for kind, part in parts.items() if part is not None}


def seed_everything(seed: int) -> None:
    """Make even undeclared randomness repeat: a stage that draws from it is still at fault."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if "torch" in sys.modules:  # not imported for its seed's sake alone
        sys.modules["torch"].manual_seed(seed % 2**63)


def _one_sentence(error: Exception) -> str:
    if isinstance(error, DlccError):
        return str(error)
    where = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())
    return f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: {text}"


def _progress(share: float, what: str) -> None:
    descriptor = os.environ.get("DLCC_PROGRESS")
    if descriptor:
        line = f"{share:.4f} {' '.join(what.split())}\n"
        os.write(int(descriptor), line.encode()[:4096])


def main(folder: Path) -> None:
    """Answer the request in `folder`."""
    postpone_compiler()
    request = codec.load(folder / "request", Request)
    for file in request.files:
        discovery.load_file(Path(file))
    kind = discovery.find_type(request.stage)
    add_pages_of(kind)
    stage: Stage = codec.decode(kind, request.settings, {})
    seed_everything(request.seed)
    kinds = (*stage.needs, *stage.wants)
    opened = (request.mapping, request.part, request.reference)
    records = gather(request.run, request.until, kinds, *opened)
    for i, name in enumerate(request.records):
        record_type = discovery.find_type(name)
        records[record_type] = codec.load(folder / "records" / str(i), record_type)
    scratch = folder / "scratch"
    scratch.mkdir()
    ctx = Context(
        rng=np.random.default_rng(request.seed),
        deadline=Deadline(request.seconds),
        scratch=scratch,
        progress=_progress,
        trust=request.trust,
    )
    case = Case(stage, records, request.until, request.length)
    reply, made = call(stage, case, ctx)
    result = folder / "result.new"
    result.mkdir()
    for i, record in enumerate(made):
        codec.save(result / f"record{i}", record)
    codec.save(result / "reply", reply)
    result.rename(folder / "result")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
