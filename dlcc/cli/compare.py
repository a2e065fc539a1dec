"""Command `dlcc compare`: what differs between runs, and where they part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dlcc.cli.options import Map, mapping_of


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders or files of runs, of any tool.", metavar="RUN...")
    ],
    map_: Map = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Also write a page of them there.", metavar="FILE")
    ] = None,
) -> None:
    """Compare runs with the first: settings, verdicts, quality, and where their series part."""
    from dlcc.comparison import compare as compared
    from dlcc.diagnosis import diagnose_run
    from dlcc.report.comparison_text import in_lines
    from dlcc.runs import Run

    opened = [Run.open(path, mapping_of(map_ or [])) for path in runs]
    diagnoses = [diagnose_run(run) for run in opened]
    found = compared(diagnoses, [run.manifest.config for run in opened])
    if html is not None:
        from dlcc.cli.report import REPORTS, compared_run, write_page
        from dlcc.report.page.runs import render_runs

        shown = [compared_run(run, REPORTS, html.parent) for run in opened]
        write_page(html, render_runs(shown, found, "Comparison"))
    if json_:
        typer.echo(json.dumps(found.to_json(), ensure_ascii=False, allow_nan=False, default=str))
    else:
        typer.echo(in_lines(found), nl=False)
