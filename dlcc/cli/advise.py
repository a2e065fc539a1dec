"""Command `dlcc advise`: what to change about a training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import EngineName, Map, duration, in_range, mapping_of
from dlcc.cli.progress import bars

if TYPE_CHECKING:
    from dlcc.advice.change import Change
    from dlcc.advice.evidence import Advice
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
    from dlcc.advice.apply import check_applicable, check_place
    from dlcc.advice.apply_own import begun_change
    from dlcc.advice.evidence import SHOWN
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
        check_applicable(opened)  # before minutes of reruns
        begun = begun_change(opened, out) if out is not None else None
        if begun is not None and out is not None:
            words = begun.words(opened.manifest.config)
            typer.echo(f"{out} was begun with {words}: going on with it")
            _apply(opened, begun, out, seed, trust)
            return
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
    if found.advised.cut_short == "interrupted":
        raise KeyboardInterrupt
    if apply is None or out is None:
        _say_next(opened, run)
        return
    if apply > len(shown):
        raise OptionError(f"--apply {apply}: expected 1 to {len(shown)}, a line of the advice")
    check_place(opened, shown[apply - 1].change, out)
    _apply(opened, shown[apply - 1].change, out, seed, trust)


def _say_next(opened: Run, run: Path) -> None:
    """Print how to carry the first change out, where this package can."""
    from dlcc.advice.apply import check_applicable
    from dlcc.errors import OptionError

    try:
        check_applicable(opened)
    except OptionError:
        typer.echo("next: put the advised fields into your configuration, and train again")
    else:
        typer.echo(f"next: dlcc advise {run} --apply 1 --out {run.resolve().name}-mended")


def _listed(found: FolderAdvice, shown: list[Advice]) -> str:
    """Lines of the advice: what reruns are sure of, what they are not, what past runs say."""
    from dlcc.report.text import one_line

    advised = found.advised
    head = "P(healthy) after the change, with 90 % intervals; gain over another seed"
    if found.why_no_reruns is not None:
        head += f"\n  no reruns: {one_line(found.why_no_reruns)}"
    titles = {
        "advised": "Advised: better than another seed in this run's own reruns",
        "undecided": "Tried, not decided: reruns do not tell it from another seed",
        "past runs alone": f"By {found.prior} alone, not tried in reruns",
    }
    lines, before = [head, f"  -  {_row(found, advised.control)}"], ""
    for k, advice in enumerate(shown, start=1):
        standing = advised.standing(advice)
        if standing != before:
            lines.append(titles[standing])
            before = standing
        lines.append(f"  {k}. {_row(found, advice)}")
    if found.why_no_reruns is None:
        tried = [a for a in advised.ranked if a.reruns]
        made = sum(a.reruns for a in (*tried, advised.control))
        lines.append(f"{len(tried)} changes tried, {made} reruns with those of another seed")
    if advised.refused:
        words = [one_line(c.words(found.config.config)) for c in advised.refused]
        lines.append(f"the run's code failed with {'; '.join(words)}")
    if found.heeded.words:
        lines.append(one_line(found.heeded.words))
    if advised.cut_short:
        lines.append(f"{advised.cut_short}: this is the ranking so far; call again to go on")
    return "\n".join(lines)


def _row(found: FolderAdvice, advice: Advice) -> str:
    """Line of one change, or of another seed."""
    from dlcc.advice.evidence import gain_of
    from dlcc.report.text import one_line, percent

    gain = ""
    if advice.change.fields:
        by = gain_of(advice, found.advised.control)
        gain = f"{100 * by.mean:+3.0f} ({100 * by.low:+.0f} to {100 * by.high:+.0f})"
    tried = ""
    if advice.reruns:
        stopped = f", {advice.stopped} stopped early" if advice.stopped else ""
        tried = f"{advice.healthy} of {advice.reruns} reruns healthy{stopped}  "
    words = one_line(advice.change.words(found.config.config))
    return f"{percent(advice.expected.number):17}{gain:18}{tried}{words}"


def _apply(run: Run, change: Change, out: Path, seed: int, trust: bool) -> None:
    """Train the change, evaluate both runs, and show both."""
    from dlcc.advice.apply import apply_change
    from dlcc.evaluation import evaluate
    from dlcc.records import HealthRecord

    with bars() as progress:
        before = evaluate(run, progress=progress, trust=trust)
        applied = apply_change(
            run,
            change,
            out,
            before.record(HealthRecord),
            seed=seed,
            trust=trust,
            progress=lambda done, total: progress("train", done / total, f"step {done:,}"),
        )
        after = evaluate(applied.out, progress=progress, trust=trust)
    typer.echo(f"recorded {applied.out}, {applied.words}")
    for evaluation in (before, after):
        typer.echo(_scores(evaluation.report))


def _scores(report: Report) -> str:
    from dlcc.report.text import percent

    verdict, value = report.verdict, report.value
    p = "" if verdict.p_healthy is None else f"P(healthy) {percent(verdict.p_healthy)}  "
    v = "" if value is None else f"V {value.mean:.2f} ({value.low:.2f} to {value.high:.2f})  "
    return f"  {report.run.name:24} {p}{v}{verdict.sentence}"
