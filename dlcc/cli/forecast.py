"""Command `dlcc forecast`: how runs are expected to end."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import Map, in_range, mapping_of, say
from dlcc.cli.progress import bars

if TYPE_CHECKING:
    from dlcc.errors import RunError
    from dlcc.forecast.folders import FolderForecast


def forecast(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.", metavar="RUN...")],
    until: Annotated[
        str | None,
        typer.Option(help="Look at nothing from here on: .2 of the configured length, or a step."),
    ] = None,
    cost: Annotated[
        float, typer.Option(help="What a healthy run is worth that is stopped, in whole trainings.")
    ] = 3.0,
    json_: Annotated[
        bool, typer.Option("--json", help="One JSON object a folder and line.")
    ] = False,
    map_: Map = None,
) -> None:
    """Say how runs will end, from what they have so far."""
    # Its matrices are small: threads that wait for each other cost more than they do.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from dlcc.forecast.folders import forecast_folders

    in_range("--cost", cost, 0.001, 1e6)
    wrong: list[RunError] = []
    with bars() as progress:
        found = forecast_folders(
            runs,
            until,
            mapping=mapping_of(map_ or []),
            cost=cost,
            left_out=wrong.append,
            progress=lambda share, what: progress("forecast", share, what),
        )
        for line in found:  # as they come: a thousand folders take a while
            typer.echo(json.dumps(line.to_json()) if json_ else _in_words(line))
    for error in wrong:
        say(str(error))
    if wrong:
        raise typer.Exit(2)


def _in_words(line: FolderForecast) -> str:
    from dlcc.report.text import one_line, percent

    prediction, name = line.prediction, one_line(line.run)
    stable, (few, many) = prediction.stability.mean, prediction.stability.interval(0.9)
    return (
        f"{name}  P(healthy) {percent(prediction.p_healthy.number)}"
        f"  {prediction.label}"
        f"  good share of the second half {stable:.2f} ({few:.2f} to {many:.2f})"
        f"  seen {line.seen:.0%}"
        + (f"  {line.stopping.words}" if line.seen < 1 else "")
        + _best_in_words(line)
    )


def _best_in_words(line: FolderForecast) -> str:
    best = line.prediction.best
    if line.best_so_far is None or best is None:
        return ""
    return f"  best so far at step {line.best_so_far:,}, P(it stays the best) {best.behind:.2f}"
