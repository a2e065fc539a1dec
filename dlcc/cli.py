"""The command line: one function a command, each thin. What they need is imported when they run."""

from __future__ import annotations

import contextlib
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

if TYPE_CHECKING:
    from rich.progress import TaskID

    from dlcc.stage import Stage

app = typer.Typer(
    name="dlcc",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Judge a training run from the folder that it left behind.",
)


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="The run folder.", metavar="RUN")],
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
        Path | None, typer.Option(help="Where the report goes [default: dlcc-reports/RUN]")
    ] = None,
    json_: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON and nothing else.")
    ] = False,
    fail_under: Annotated[
        float | None, typer.Option(help="Exit with 1 where P(healthy) is under this.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for each stage.")] = 300,
    memory: Annotated[float, typer.Option(help="GiB for each stage and its children.")] = 4,
    trust: Annotated[
        bool, typer.Option(help="Run the run's own code even without real isolation.")
    ] = False,
    judgements: Annotated[
        Path | None, typer.Option(help="Pairwise judgements behind the weights (JSON).")
    ] = None,
    cache: Annotated[bool, typer.Option(help="Use results of earlier evaluations.")] = True,
) -> None:
    """Judge a run: verdict, P(healthy), findings, and a report to look at."""
    from dlcc import plugins
    from dlcc.evaluation import evaluate as judge
    from dlcc.evaluation import with_settings
    from dlcc.pipeline import Limits
    from dlcc.report.terminal import render
    from dlcc.scoring.ahp import DEFAULT_JUDGEMENTS

    _in_range("--fail-under", fail_under, 0, 1)
    _in_range("--timeout", timeout, 0.001, 1e8)
    _in_range("--memory", memory, 0.001, 1e6)
    bounds = Limits(timeout, int(memory * 2**30))
    own = [plugins.from_argument(text, bounds.seconds, bounds.memory) for text in stage or []]
    known = [*plugins.installed().values(), *own]
    target = out or Path("dlcc-reports") / run.resolve().name
    with _progress() as progress:
        report = judge(
            run,
            stages=_merged(own, with_settings(known, set_ or [])),
            only=only or [],
            skip=skip or [],
            until=until,
            out=target,
            limits=bounds,
            trust=trust,
            use_cache=cache,
            judgements=judgements or DEFAULT_JUDGEMENTS,
            progress=progress,
        )
    if json_:
        typer.echo(report.to_json(), nl=False)
    else:
        html = str(target / "report.html")
        typer.echo(render(report, html=html, colour=sys.stdout.isatty()), nl=False)
    if report.failed_stages:
        raise typer.Exit(3)
    p = report.verdict.p_healthy
    if fail_under is not None and (p is None or p.mean < fail_under):
        raise typer.Exit(1)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="digits or ring.")],
    out: Annotated[Path, typer.Option(help="The run folder to record into.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, KEY=VALUE; repeatable.")
    ] = None,
) -> None:
    """Train one of the recipes, recorded; goes on where an interrupted training stopped."""
    from dlcc.recipes.train import train as train_recipe

    settings = _pairs(set_ or [])
    with _progress() as progress:

        def report(done: int, total: int) -> None:
            progress(recipe, done / total, f"step {done:,} of {total:,}")

        train_recipe(recipe, out, settings, progress=report)
    typer.echo(f"recorded {out}\nnext: dlcc evaluate {out}")


@app.command()
def stages() -> None:
    """List the installed stages: what each does, takes and gives."""
    from dlcc import pipeline, plugins

    for stage in pipeline.order(list(plugins.installed().values())):
        typer.echo(f"{stage.name}\n  {stage.describe()}")
        for word in ("needs", "wants", "gives"):
            kinds = ", ".join(kind.__name__ for kind in getattr(stage, word))
            if kinds:
                typer.echo(f"  {word} {kinds}")
        settings = ", ".join(f"{key}={value}" for key, value in stage.settings().items())
        if settings:
            typer.echo(f"  settings {settings}")


@app.command()
def schema(what: Annotated[str, typer.Argument(help="report or run")]) -> None:
    """Print the JSON Schema of report.json or run.json."""
    from dlcc.errors import OptionError
    from dlcc.report.record import Report
    from dlcc.runs.manifest import Manifest

    models: dict[str, Any] = {"report": Report, "run": Manifest}
    if what not in models:
        raise OptionError(f"there is no schema {what!r}; expected report or run")
    document = models[what].model_json_schema(by_alias=True)
    document["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    typer.echo(json.dumps(document, indent=1))


@app.command()
def explain(code: Annotated[str, typer.Argument(help="A finding's code, such as GAN003.")]) -> None:
    """Say what a finding means, what it looks like, and what to change."""
    from dlcc.findings import page

    typer.echo(page(code).text, nl=False)


def main() -> None:
    """Run the command line; a DlccError is one sentence on stderr and its exit code."""
    from dlcc.errors import DlccError

    try:
        code = app(standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("dlcc: interrupted; nothing half-written was left", err=True)
        code = 130
    except DlccError as error:
        from dlcc.report.text import one_line

        typer.echo(f"dlcc: {one_line(str(error))}", err=True)
        code = error.exit_code
    except Exception as error:
        if not isinstance(error, TyperException):
            where = traceback.extract_tb(error.__traceback__)[-1]
            typer.echo(
                f"dlcc: {type(error).__name__} at {Path(where.filename).name}:{where.lineno}: "
                f"{' '.join(str(error).split())[:300]}; this is a fault of dlcc, please report it",
                err=True,
            )
            sys.exit(3)
        typer.echo(f"dlcc: {error.format_message()}", err=True)
        code = error.exit_code
    sys.exit(code)


def _in_range(option: str, value: float | None, low: float, high: float) -> None:
    from dlcc.errors import OptionError

    if value is not None and not low <= value <= high:
        raise OptionError(f"{option} {value:g}: expected {low:g} to {high:g}")


def _merged(own: list[Stage], changed: list[Stage]) -> list[Stage]:
    """Stages of the user's own and those with changed settings, the changed ones winning."""
    return list({stage.name: stage for stage in [*own, *changed]}.values())


def _pairs(settings: list[str]) -> dict[str, Any]:
    """KEY=VALUE texts; values that read as numbers are numbers."""
    from dlcc.errors import OptionError

    pairs: dict[str, Any] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not (equals and key):
            raise OptionError(f"--set {text!r}: expected KEY=VALUE")
        pairs[key] = _number_or_text(value)
    return pairs


def _number_or_text(text: str) -> int | float | str:
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, float, str], None]]:
    """Bars on stderr where that is a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda task, share, what: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:>14}"), BarColumn(), TimeRemainingColumn(),
        TextColumn("{task.fields[what]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def update(task: str, share: float, what: str) -> None:
            if task not in tasks:
                tasks[task] = bars.add_task(task, total=1.0, what=what)
            bars.update(tasks[task], completed=share, what=what)

        yield update


if __name__ == "__main__":
    main()
