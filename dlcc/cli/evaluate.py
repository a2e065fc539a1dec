"""Command `dlcc evaluate`: the verdict on a run, or on many."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import (
    FAIL_ON,
    EngineName,
    Map,
    OwnFeatures,
    Reference,
    in_range,
    mapping_of,
    say,
    show_notes,
)
from dlcc.cli.progress import bars

if TYPE_CHECKING:
    from dlcc.evaluations import EvaluatedRun, EvaluationOptions
    from dlcc.report.record import Report

_REPORTS = Path("dlcc-reports")
_Limits = tuple[float | None, str]
"""Least P(healthy), and least severity of a finding, at which the command fails."""


def evaluate(
    runs: Annotated[
        list[Path], typer.Argument(help="The run folder, or several.", metavar="RUN...")
    ],
    map_: Map = None,
    part: Annotated[
        str | None, typer.Option("--run", help="One of several runs in a folder, by its name.")
    ] = None,
    reference: Reference = None,
    features: OwnFeatures = None,
    stage: Annotated[
        list[str] | None, typer.Option(help="A stage of your own, FILE.py:CLASS; repeatable.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Run this stage (and those it needs); repeatable.")
    ] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Leave this stage out.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="A stage's setting, STAGE.SETTING=VALUE; repeatable."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(help="Look at nothing from here on: .2 of the configured length, or a step."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Where the report goes [default: dlcc-reports/RUN]; of several runs, the folder "
            "of their reports [default: dlcc-reports]"
        ),
    ] = None,
    json_: Annotated[
        bool,
        typer.Option(
            "--json", help="Print the report as JSON and nothing else; of several runs, one a line."
        ),
    ] = False,
    fail_under: Annotated[
        float | None, typer.Option(help="Exit with 1 where P(healthy) is under this.")
    ] = None,
    fail_on: Annotated[
        str, typer.Option(help="Exit with 1 where a finding is this severe: error, warning, note.")
    ] = "never",
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Leave out what takes long: reruns, replay, and checks of code and text.",
        ),
    ] = False,
    timeout: Annotated[float, typer.Option(help="Seconds for each stage.")] = 300,
    memory: Annotated[float, typer.Option(help="GiB for each stage and its children.")] = 4,
    trust: Annotated[
        bool, typer.Option(help="Run the run's own code even without real isolation.")
    ] = False,
    judgements: Annotated[
        Path | None, typer.Option(help="Pairwise judgements behind the weights (JSON).")
    ] = None,
    cache: Annotated[bool, typer.Option(help="Use results of earlier evaluations.")] = True,
    engine: EngineName = "",
    jobs: Annotated[int | None, typer.Option(help="Processes, with --engine processes.")] = None,
) -> None:
    """Judge runs: verdict, P(healthy), findings, and a report to look at."""
    from dlcc.errors import OptionError
    from dlcc.evaluation import SLOW
    from dlcc.evaluations import EvaluationOptions

    if fail_on not in FAIL_ON:
        raise OptionError(f"--fail-on {fail_on}: expected one of {', '.join(FAIL_ON)}")
    in_range("--fail-under", fail_under, 0, 1)
    in_range("--timeout", timeout, 0.001, 1e8)
    in_range("--memory", memory, 0.001, 1e6)
    in_range("--jobs", jobs, 1, 10_000)
    options = EvaluationOptions(
        mapping=tuple(mapping_of(map_ or []).items()),
        part=part,
        reference=None if reference is None else str(reference.resolve()),
        features=None if features is None else _whole(features),
        stages=tuple(map(_whole, stage or ())),
        only=tuple(only or ()),
        skip=(*(skip or ()), *(SLOW if quick else ())),
        settings=tuple(set_ or ()),
        until=until,
        seconds=timeout,
        memory=int(memory * 2**30),
        trust=trust,
        judgements=None if judgements is None else str(judgements.resolve()),
        use_cache=cache,
    )
    if jobs is not None and engine != "processes":
        raise OptionError(f"--jobs {jobs}: expected with --engine processes")
    if len(runs) > 1 or engine:
        code = _many(runs, options, out or _REPORTS, engine, jobs, json_, (fail_under, fail_on))
    else:
        code = _one(runs[0], options, out, json_, (fail_under, fail_on))
    if code:
        raise typer.Exit(code)


def _whole(text: str) -> str:
    """Resolve the file of FILE.py:NAME, since workers have folders of their own."""
    file, colon, name = text.rpartition(":")
    return f"{Path(file).resolve()}:{name}" if colon and file else text


def _one(
    run: Path, options: EvaluationOptions, out: Path | None, json_: bool, limits: _Limits
) -> int:
    """Evaluate one run and show it; returns the exit code."""
    from dlcc.report.files import folder_of_run
    from dlcc.report.terminal import render

    opened = options.open(run)
    show_notes(opened)
    target = out or folder_of_run(_REPORTS, run, options.part)
    if sys.stderr.isatty() and not options.only and "reproducibility" not in options.skip:
        say("replay, reruns and checks may take a minute the first time; --quick leaves them out")
    with bars() as progress:
        report = options.evaluate(opened, target, progress).report
    if json_:
        typer.echo(report.to_json(), nl=False)
    else:
        html = str(target / "report.html")
        maps = (f"--map={name}={column}" for name, column in options.mapping)
        named = shlex.join([str(run), *maps])
        typer.echo(render(report, run=named, html=html, colour=sys.stdout.isatty()), nl=False)
    return _code(report, limits)


def _many(
    runs: list[Path],
    options: EvaluationOptions,
    out: Path,
    engine: str,
    jobs: int | None,
    json_: bool,
    limits: _Limits,
) -> int:
    """Evaluate runs by an engine and show a line of each; returns the gravest exit code."""
    import json

    from dlcc.engine.engines import engine_of
    from dlcc.evaluations import evaluate_runs

    with bars() as progress:
        found = evaluate_runs(
            runs,
            options,
            out,
            engine_of(engine or "local", jobs),
            lambda share, what: progress("evaluate", share, what),
        )
    for made in found:
        for note in made.notes:
            say(note)
        if made.report is None:
            say(made.error)
        elif json_:
            typer.echo(json.dumps(json.loads(made.report.to_json()), ensure_ascii=False))
    if not json_:
        typer.echo(_table(found, out), nl=False)
    return max(m.exit_code if m.report is None else _code(m.report, limits) for m in found)


def _table(found: list[EvaluatedRun], out: Path) -> str:
    """List runs, those most likely healthy first: P(healthy), what is said, and the report."""
    from dlcc.report.text import one_line

    def p_healthy(made: EvaluatedRun) -> float:
        p = None if made.report is None else made.report.verdict.p_healthy
        return -1.0 if p is None else p.mean

    width = max(len(one_line(str(made.out.relative_to(out)))) for made in found)
    lines = []
    for made in sorted(found, key=p_healthy, reverse=True):
        if made.report is not None:
            p = p_healthy(made)
            share = "" if p < 0 else "under 1%" if p < 0.01 else f"{p:.0%}"
            said = one_line(made.report.verdict.sentence)
            lines.append(f"{share:>8}  {one_line(str(made.out.relative_to(out))):{width}}  {said}")
    lines.append(f"reports in {one_line(str(out))}")
    return "".join(f"{line}\n" for line in lines)


def _code(report: Report, limits: _Limits) -> int:
    """Exit code that a report asks for."""
    if report.failed_stages:
        return 3
    fail_under, fail_on = limits
    p = report.verdict.p_healthy
    if fail_under is not None and (p is None or p.mean < fail_under):
        return 1
    severe = FAIL_ON[: FAIL_ON.index(fail_on) + 1] if fail_on != "never" else ()
    return int(any(finding.severity in severe for finding in report.findings))
