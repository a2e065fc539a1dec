"""Command `dlcc report`: one page of many runs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import Map, mapping_of, say
from dlcc.cli.progress import bars

if TYPE_CHECKING:
    from dlcc.report.page.runs import ComparedRun
    from dlcc.runs import Run

REPORTS = Path("dlcc-reports")


def report(
    folders: Annotated[
        list[Path], typer.Argument(help="Runs, or folders of runs, of any tool.", metavar="DIR...")
    ],
    out: Annotated[Path, typer.Option(help="HTML file to write.", metavar="FILE")] = REPORTS
    / "runs.html",
    reports: Annotated[
        Path, typer.Option(help="Where dlcc evaluate put its reports, which are used.")
    ] = REPORTS,
    map_: Map = None,
) -> None:
    """Write one page of many runs: a table that sorts and filters, samples, and series."""
    from dlcc.report.page.runs import render_runs

    mapping = mapping_of(map_ or [])
    runs = [run for folder in folders for run in runs_in(folder, mapping)]
    found = []
    with bars() as progress:
        for number, run in enumerate(runs):
            progress("report", number / len(runs), run.name)
            found.append(compared_run(run, reports, out.parent))
    title = f"{len(found)} runs of {', '.join(f.name or str(f) for f in folders[:3])}"
    write_page(out, render_runs(found, title=title))
    typer.echo(f"{len(found)} runs: {out}")


def runs_in(folder: Path, mapping: dict[str, str]) -> list[Run]:
    """Open a run, or every run in a folder; what cannot be read is named and left out.

    Raises:
        RunError: There is no run that can be read.
    """
    from dlcc.errors import RunError
    from dlcc.runs import Run
    from dlcc.runs.formats import formats, open_each

    if not folder.is_dir() or any(known.recognises(folder) for known in formats()):
        return [Run.open(folder, mapping)]
    wrong: list[RunError] = []
    found = [
        Run(path, contents, mapping, name)
        for path, name, contents in open_each(folder, mapping, wrong.append)
    ]
    for error in wrong:
        say(f"left out: {error}")
    if not found:
        raise RunError(f"{folder}: no run in it can be read; name a folder that holds one")
    return found


def compared_run(run: Run, reports: Path, beside: Path) -> ComparedRun:
    """Diagnose a run, and find its report if it was evaluated.

    Args:
        run: The run.
        reports: Folder of reports.
        beside: Folder of the page, which links are relative to.
    """
    from dlcc.diagnosis import diagnose_run
    from dlcc.report.files import folder_of_run
    from dlcc.report.page.runs import ComparedRun, fitting_report

    diagnosis = diagnose_run(run)
    folder = folder_of_run(reports, run.path)
    known = fitting_report(run, diagnosis, folder)
    page = folder / "report.html"
    link = os.path.relpath(page, beside) if known is not None and page.is_file() else None
    return ComparedRun(run, diagnosis, known, link)


def write_page(out: Path, text: str) -> None:
    """Write a page beside its place and move it there.

    Raises:
        OutputError: It cannot be written.
    """
    from dlcc.errors import OutputError

    if not out.name:
        raise OutputError(f"{out}: names a folder; name the HTML file to write")
    beside = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, out)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise OutputError(
            f"{out}: cannot be written ({error.strerror}); choose another file"
        ) from error
