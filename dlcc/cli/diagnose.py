"""Command `dlcc diagnose`: what a run is, its state, since when, and what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import FAIL_ON, Map, Reference, mapping_of, say

if TYPE_CHECKING:
    from dlcc.diagnosis import Diagnosis
    from dlcc.errors import InputError


def diagnose(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Folders or files that trainings left, of any tool.", metavar="RUN..."),
    ],
    all_: Annotated[
        bool, typer.Option("--all", help="Diagnose each run that a folder holds.")
    ] = False,
    run: Annotated[
        str | None, typer.Option("--run", help="One of several runs in a folder, by its name.")
    ] = None,
    map_: Map = None,
    kind: Annotated[
        str | None, typer.Option(help="Kind of training, such as gan or vae, where it is not told.")
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(help="Objective of the game: ns, mm, ls, hinge, wgan, wgangp, relativistic."),
    ] = None,
    reference: Reference = None,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object a run and line.")] = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="One SARIF document.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="A Markdown table.")] = False,
    github: Annotated[
        bool, typer.Option("--github", help="Annotations of a GitHub workflow, one a finding.")
    ] = False,
    fail_on: Annotated[
        str, typer.Option(help="Exit with 1 where a finding is this severe: error, warning, note.")
    ] = "never",
) -> None:
    """Say in a second what a run is, whether it is healthy, since when not, and what to do."""
    from dlcc.errors import OptionError

    if fail_on not in FAIL_ON:
        raise OptionError(f"--fail-on {fail_on}: expected one of {', '.join(FAIL_ON)}")
    if json_ + sarif + markdown + github > 1:
        raise OptionError("--json, --sarif, --markdown and --github: give one of them")
    wrong: list[InputError] = []
    found = _diagnoses(folders, run, map_ or [], kind, objective, reference, wrong, every=all_)
    worst = _shown(found, json_=json_, sarif=sarif, markdown=markdown, github=github)
    for error in wrong:
        say(str(error))
    if wrong:
        raise typer.Exit(2)
    if fail_on != "never" and FAIL_ON.index(worst) <= FAIL_ON.index(fail_on):
        raise typer.Exit(1)


def _diagnoses(
    folders: list[Path],
    run: str | None,
    map_: list[str],
    kind: str | None,
    objective: str | None,
    reference: Path | None,
    wrong: list[InputError],
    *,
    every: bool,
) -> Iterator[Diagnosis]:
    """Iterate over the diagnoses of all folders; a folder that cannot be read goes to `wrong`."""
    from dlcc import diagnosis
    from dlcc.errors import InputError

    mapping = mapping_of(map_)
    for folder in folders:
        try:
            if every:
                yield from diagnosis.diagnose_all(
                    folder,
                    mapping,
                    kind=kind,
                    objective=objective,
                    reference=reference,
                    left_out=wrong.append,
                )
            else:
                yield diagnosis.diagnose(
                    folder,
                    mapping,
                    part=run,
                    kind=kind,
                    objective=objective,
                    reference=reference,
                )
        except InputError as error:
            wrong.append(error)


def _shown(
    found: Iterator[Diagnosis], *, json_: bool, sarif: bool, markdown: bool, github: bool
) -> str:
    """Print diagnoses, as they come where the format allows it; returns the worst severity."""
    from dlcc.diagnosis import to_json_line
    from dlcc.report.diagnosis_text import in_annotations, in_lines, in_markdown, in_sarif

    worst = "never"
    together = []
    for number, diagnosis in enumerate(found):
        for finding in diagnosis.assessment.findings:
            if FAIL_ON.index(finding.severity) < FAIL_ON.index(worst):
                worst = finding.severity
        if sarif or markdown:
            together.append(diagnosis)
        elif json_:
            typer.echo(to_json_line(diagnosis))
        elif github:
            typer.echo(in_annotations(diagnosis), nl=False)
        else:
            text = in_lines(diagnosis, colour=sys.stdout.isatty())
            typer.echo(("\n" if number else "") + text, nl=False)
    if sarif:
        typer.echo(json.dumps(in_sarif(together), indent=1))
    elif markdown and together:
        typer.echo(in_markdown(together), nl=False)
    return worst
