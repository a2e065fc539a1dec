"""Command `dlcc verify`: statements proved or refuted, with certificates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.progress import bars

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlcc.stages.consistency.provers.chain import Decision
    from dlcc.stages.consistency.provers.statement import Statement


def verify(
    file: Annotated[
        Path,
        typer.Argument(
            help="A file of statements, one a line: NAME | VARIABLES | LEFT RELATION RIGHT; or a "
            "run folder, whose formulas are held against what its code minimises.",
            metavar="FILE|RUN",
        ),
    ],
    prover: Annotated[str, typer.Option(help="Prover to use: auto, sympy, z3 or coq.")] = "auto",
    export: Annotated[
        Path | None,
        typer.Option(
            help="Write Coq certificates and Lean source into this folder.", metavar="DIR"
        ),
    ] = None,
    trust: Annotated[
        bool, typer.Option(help="Run the run's own code even without real isolation.")
    ] = False,
) -> None:
    """Prove or refute statements, or a run's formulas, and export certificates."""
    from dlcc.errors import OptionError
    from dlcc.stages.consistency.provers.chain import available, decide

    if file.is_dir():
        raise typer.Exit(_verify_run(file, trust))
    provers = available(prover)
    statements = _statements(file)
    certify = export is not None
    decisions: list[Decision] = []
    with bars() as progress:
        for k, statement in enumerate(statements):
            progress("verify", k / len(statements), statement.name)
            decisions.append(decide(statement, provers, certify=certify))
    if not decisions:
        raise OptionError(f"{file}: holds no statement; write NAME | VARIABLES | LEFT = RIGHT")
    width = max(len(decision.statement.name) for decision in decisions)
    for decision in decisions:
        typer.echo(_line(decision, width))
    if export is not None:
        typer.echo(_exported(export, decisions, statements))
    counts = [sum(d.verdict == v for d in decisions) for v in ("proved", "refuted", "unknown")]
    typer.echo("{} proved, {} refuted, {} unknown".format(*counts))
    if counts[1]:
        raise typer.Exit(1)


def _statements(file: Path) -> list[Statement]:
    from dlcc.errors import OptionError
    from dlcc.stages.consistency.provers.statement import parse_statements

    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise OptionError(f"{file}: cannot be read ({why}); check the path") from None
    try:
        return parse_statements(text)
    except OptionError as error:
        raise OptionError(f"{file}: {error}") from None


def _line(decision: Decision, width: int) -> str:
    how = f" by {decision.method}" if decision.method and decision.verdict == "proved" else ""
    certified = ", Coq certificate" if decision.certificate and decision.method != "coq" else ""
    reason = f": {decision.reason}" if decision.reason else ""
    return f"{decision.statement.name:{width}}  {decision.verdict}{how}{certified}{reason}"


def _exported(folder: Path, decisions: Sequence[Decision], statements: Sequence[Statement]) -> str:
    """Write a Coq file for each certificate, and one Lean file of all statements."""
    from dlcc.errors import OutputError
    from dlcc.stages.consistency.provers.lean import lean_source

    certified = [d for d in decisions if d.certificate is not None]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for decision in certified:
            assert decision.certificate is not None
            name = "".join(c if c.isalnum() else "_" for c in decision.statement.name)
            (folder / f"{name}.v").write_text(decision.certificate.text, encoding="utf-8")
        proved = [d.statement for d in decisions if d.verdict == "proved"]
        (folder / "Statements.lean").write_text(lean_source(proved), encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"--export {folder}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    return (
        f"{len(certified)} of {len(statements)} statements have a Coq certificate in {folder}; "
        "Statements.lean is unchecked"
    )


def _verify_run(run: Path, trust: bool) -> int:
    """Hold the formulas of a run's documents against what its code minimises."""
    from dlcc.evaluation import evaluate
    from dlcc.records import Obligations
    from dlcc.report.text import one_line

    with bars() as progress:
        found = evaluate(run, only=["consistency"], trust=trust, progress=progress)
    obligations = found.record(Obligations)
    symbolic = [o for o in obligations.items if o.kind == "symbolic"] if obligations else []
    for o in symbolic:
        reason = o.counterexample or o.reason or o.method
        typer.echo(f"{o.verdict:9}{one_line(o.statement)}: {one_line(reason)}")
    if not symbolic:
        typer.echo("nothing to verify: no code that can be replayed, and no formula of a loss")
    return int(any(o.verdict == "refuted" for o in symbolic))
