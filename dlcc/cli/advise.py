"""Command `dlcc advise`: what to change about a training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import EngineName, Map, duration, in_range, mapping_of
from dlcc.cli.progress import bars

if TYPE_CHECKING:
    from dlcc.advice.advice import Advice
    from dlcc.advice.folder import FolderAdvice
    from dlcc.report.record import Report
    from dlcc.runs import Run


def advise(
    run: Annotated[Path, typer.Argument(help="The run folder.", metavar="RUN")],
    apply: Annotated[
        int | None,
        typer.Option(help="Train a new run with this line of the advice.", metavar="K"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the new run goes.")] = None,
    budget: Annotated[str, typer.Option(help="Time for reruns: 90s, 5m, 2h.")] = "10m",
    reruns: Annotated[
        bool, typer.Option(help="Try changes in reruns; without, past runs alone are asked.")
    ] = True,
    seed: Annotated[int, typer.Option(help="Seed of the reruns and of a new run.")] = 0,
    trust: Annotated[
        bool, typer.Option(help="Run the run's own code even without real isolation.")
    ] = False,
    map_: Map = None,
    engine: EngineName = "",
) -> None:
    """Say what to change about a training, by what reruns and past runs say it does."""
    from dlcc.advice.advice import SHOWN
    from dlcc.advice.apply import check_place, recipe_of
    from dlcc.advice.folder import advise_folder
    from dlcc.engine.engines import engine_of
    from dlcc.errors import OptionError
    from dlcc.runs import Run

    seconds = duration("--budget", budget)
    where = engine_of(engine) if engine else None
    in_range("--seed", seed, 0, 2**31 - 1)
    in_range("--apply", apply, 1, 2 * SHOWN)
    if (apply is None) != (out is None):
        raise OptionError("--apply and --out, the folder of the new run, go together")
    opened = Run.open(run, mapping_of(map_ or []))
    if apply is not None:
        recipe_of(opened)  # refuses what cannot be trained before minutes of reruns
    with bars() as progress:
        found = advise_folder(
            opened,
            seconds,
            reruns=reruns,
            trust=trust,
            seed=seed,
            progress=lambda share, what: progress("advise", share, what),
            engine=where,
        )
    shown = found.advised.shown()
    typer.echo(_listed(found, shown))
    if apply is None or out is None:
        _say_next(opened, run)
        return
    if apply > len(shown):
        raise OptionError(f"--apply {apply}: expected 1 to {len(shown)}, a line of the advice")
    check_place(opened, shown[apply - 1].change, out)
    _apply(opened, shown[apply - 1], out, seed)


def _say_next(opened: Run, run: Path) -> None:
    """Print how to carry the first change out, where this package can."""
    from dlcc.advice.apply import recipe_of
    from dlcc.errors import OptionError

    try:
        recipe_of(opened)
    except OptionError:
        typer.echo("next: put the advised fields into your configuration, and train again")
    else:
        typer.echo(f"next: dlcc advise {run} --apply 1 --out {run.resolve().name}-mended")


def _listed(found: FolderAdvice, shown: list[Advice]) -> str:
    from dlcc.report.text import one_line, percent

    if found.why_no_reruns is None:
        lines = ["P(healthy) after the change, by reruns and past runs"]
    else:
        lines = [
            "P(healthy) after the change, by past runs alone "
            f"(no reruns: {one_line(found.why_no_reruns)})"
        ]
    rows = [(f"{k}.", advice) for k, advice in enumerate(shown, start=1)]
    for mark, advice in [*rows, ("-", found.advised.control)]:
        tried = f"  {advice.healthy} of {advice.reruns} reruns healthy" if advice.reruns else ""
        lines.append(
            f"  {mark:3}{percent(advice.expected.number):16}{tried}  "
            f"{one_line(advice.change.words(found.config.config))}"
        )
    if found.advised.refused:
        words = [one_line(c.words(found.config.config)) for c in found.advised.refused]
        lines.append(f"  the run's code failed with {'; '.join(words)}")
    return "\n".join(lines)


def _apply(run: Run, advice: Advice, out: Path, seed: int) -> None:
    """Train the change, evaluate both runs, and show both."""
    from dlcc.advice.apply import apply_change
    from dlcc.evaluation import evaluate
    from dlcc.records import HealthRecord

    with bars() as progress:
        before = evaluate(run, progress=progress)
        applied = apply_change(
            run,
            advice.change,
            out,
            before.record(HealthRecord),
            seed=seed,
            progress=lambda done, total: progress("train", done / total, f"step {done:,}"),
        )
        after = evaluate(applied.out, progress=progress)
    typer.echo(f"recorded {applied.out}, {applied.words}")
    for evaluation in (before, after):
        typer.echo(_scores(evaluation.report))


def _scores(report: Report) -> str:
    from dlcc.report.text import percent

    verdict, value = report.verdict, report.value
    p = "" if verdict.p_healthy is None else f"P(healthy) {percent(verdict.p_healthy)}  "
    v = "" if value is None else f"V {value.mean:.2f} ({value.low:.2f} to {value.high:.2f})  "
    return f"  {report.run.name:24} {p}{v}{verdict.sentence}"
