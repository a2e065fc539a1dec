"""Command `dlcc evaluate`: the verdict on a run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import Map, OwnFeatures, Reference, in_range, mapping_of, show_notes
from dlcc.cli.progress import bars

if TYPE_CHECKING:
    from dlcc.runs import Run
    from dlcc.stage import Stage

_FEW = 32  # rows that a feature function is tried on


def evaluate(
    run: Annotated[Path, typer.Argument(help="The run folder.", metavar="RUN")],
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
    from dlcc.evaluation import evaluate as judge
    from dlcc.pipeline import Limits, discovery
    from dlcc.pipeline.settings import with_settings
    from dlcc.report.terminal import render
    from dlcc.runs import Run
    from dlcc.scoring.ahp import DEFAULT_JUDGEMENTS

    in_range("--fail-under", fail_under, 0, 1)
    in_range("--timeout", timeout, 0.001, 1e8)
    in_range("--memory", memory, 0.001, 1e6)
    bounds = Limits(timeout, int(memory * 2**30))
    opened = Run.open(run, mapping_of(map_ or []), part, reference)
    show_notes(opened)
    settings = [*(set_ or []), *_of_samples(opened, reference, features)]
    own = [discovery.from_argument(text, bounds.seconds, bounds.memory) for text in stage or []]
    known = [*discovery.installed().values(), *own]
    target = out or Path("dlcc-reports") / run.resolve().name
    with bars() as progress:
        evaluation = judge(
            opened,
            stages=_merged(own, with_settings(known, settings)),
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
    report = evaluation.report
    if json_:
        typer.echo(report.to_json(), nl=False)
    else:
        html = str(target / "report.html")
        named = shlex.join([str(run), *(f"--map={text}" for text in map_ or [])])
        typer.echo(render(report, run=named, html=html, colour=sys.stdout.isatty()), nl=False)
    if report.failed_stages:
        raise typer.Exit(3)
    p = report.verdict.p_healthy
    if fail_under is not None and (p is None or p.mean < fail_under):
        raise typer.Exit(1)


def _of_samples(run: Run, reference: Path | None, features: str | None) -> list[str]:
    """Settings for how samples are compared; refuses what was asked for and cannot be done."""
    import numpy as np

    from dlcc.errors import OptionError
    from dlcc.health.feature_reference import checked_features
    from dlcc.health.run_features import why_not_comparable
    from dlcc.health.user_features import load_features
    from dlcc.metrics.features import name_of
    from dlcc.records import Samples
    from dlcc.runs.feature_entry import PRETRAINED

    if reference is None and features is None:
        return []
    asked = "--features" if reference is None else "--reference"
    samples = Samples.of(run, None)
    why = "the run has no samples" if samples is None else why_not_comparable(samples)
    if samples is None or samples.reference is None or why is not None:
        raise OptionError(f"{asked}: {run.path}: {why}")
    if features is None:
        return []
    function = load_features(features, samples.reference)
    first = samples.at(samples.steps[0])
    width = checked_features(function, samples.reference[:_FEW]).shape[1]
    finite = first[np.isfinite(first.reshape(len(first), -1)).all(axis=1)]
    if len(finite):  # who has lost all of them is told so by the verdict
        checked_features(function, finite[:_FEW], width)
    file, _, name = features.rpartition(":")  # stages run in a folder of their own
    whole = features if features == PRETRAINED else f"{Path(file).resolve()}:{name}"
    return [f"health.features={whole}", f"health.features_code={name_of(function)}"]


def _merged(own: list[Stage], changed: list[Stage]) -> list[Stage]:
    """Merge the user's own stages and those with changed settings; the changed ones win."""
    return list({stage.name: stage for stage in [*own, *changed]}.values())
