"""Command `dlcc inspect`: how a folder is read, column by column."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import Map, mapping_of

if TYPE_CHECKING:
    from dlcc.runs.formats.foreign import ForeignContents


def inspect(
    folder: Annotated[Path, typer.Argument(help="Folder or file, of any tool.", metavar="RUN")],
    run: Annotated[
        str | None, typer.Option("--run", help="One of several runs in a folder, by its name.")
    ] = None,
    map_: Map = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show how a folder is read: format, axis, sessions, and which column is whose, and why."""
    from dlcc.report.text import one_line
    from dlcc.runs import Run
    from dlcc.runs.formats.foreign import ForeignContents

    opened = Run.open(folder, mapping_of(map_ or []), run)
    contents = opened.contents
    if not isinstance(contents, ForeignContents):
        names = ", ".join(opened.series())
        typer.echo(f"{one_line(opened.name)}   DLCC run folder; its series have our names: {names}")
        return
    if json_:
        typer.echo(json.dumps(_as_json(opened.name, contents), ensure_ascii=False))
        return
    for line in _in_lines(opened.name, contents):
        typer.echo(one_line(line) if not line.startswith("  ") else "  " + one_line(line))


def _as_json(name: str, contents: ForeignContents) -> dict[str, object]:
    return {
        "run": name,
        "format": contents.table.title,
        "files": [str(path) for path in contents.table.files],
        "kind": contents.manifest.objective.get("kind"),
        "objective": contents.manifest.objective.get("loss"),
        "axis": {"unit": contents.axis.unit, "columns": sorted(contents.axis.columns)},
        "sessions": [
            {
                "rows": s.rows,
                "first_step": s.first_step,
                "last_step": s.last_step,
                "judged": s.judged,
            }
            for s in contents.sessions
        ],
        "columns": [
            {
                "column": column.column,
                "role": None if column.role is None else column.role.name,
                "used": column.used,
                "confidence": column.confidence,
                "why": column.why,
            }
            for column in contents.roles.columns
        ],
        "questions": list(contents.roles.questions),
        "config": dict(contents.manifest.config),
        "notes": list(contents.notes),
    }


def _in_lines(name: str, contents: ForeignContents) -> list[str]:
    axis = contents.axis
    counted = ", ".join(sorted(axis.columns)) or "the order of rows"
    files = ", ".join(path.name for path in contents.table.files)
    lines = [
        f"{name}   {contents.table.title} ({files}), {contents.table.rows:,} rows",
        f"kind {contents.manifest.objective.get('kind')}, objective "
        f"{contents.manifest.objective.get('loss', 'not stated')}; {axis.unit}s by {counted}",
    ]
    width = min(40, max((len(c.column) for c in contents.roles.columns), default=0))
    for column in contents.roles.columns:
        role = "-" if column.role is None else column.role.name
        read = "" if column.used else " (not read)"
        lines.append(f"  {column.column[:40]:{width}}  {role}{read}: {column.why}")
    lines += [f"question: {question}" for question in contents.roles.questions]
    lines += [f"note: {note}" for note in contents.notes]
    lines.append(
        "settle a column with --map PLAYER/QUANTITY=COLUMN, or in dlcc.toml beside the run"
    )
    return lines
