"""Command `dlcc library`: past runs with known outcomes."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import EngineName, in_range, say
from dlcc.cli.progress import bars
from dlcc.errors import OptionError

if TYPE_CHECKING:
    from dlcc.past_runs.store import Library

library = typer.Typer(
    name="library",
    no_args_is_help=True,
    add_completion=False,
    help="Past runs with known ends: build a library, look at it, add runs of your own.",
)


@library.command()
def build(
    out: Annotated[Path, typer.Option(help="The library's file.")],
    groups: Annotated[int, typer.Option(help="Ensembles of drawn settings.")] = 27,
    members: Annotated[int, typer.Option(help="Settings in each.")] = 56,
    seed: Annotated[int, typer.Option(help="Seed that settings are drawn with.")] = 11,
    recorded: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of recorded runs with their truth; repeatable."),
    ] = None,
    tested: Annotated[
        int, typer.Option(help="Recorded runs whose record is put to the test.")
    ] = 200,
    single: Annotated[
        int, typer.Option(help="So many maps and autoencoders, in place of the GANs.")
    ] = 0,
    alone: Annotated[int, typer.Option(hidden=True)] = 0,
    vaes: Annotated[
        int, typer.Option(help="So many autoencoders of real images, in place of the GANs.")
    ] = 0,
    images: Annotated[int, typer.Option(help="So many GANs on real images.")] = 0,
    folder: Annotated[
        list[str] | None,
        typer.Option(
            help="Where files of images are, as fashion=FOLDER; also mnist5k, letters; repeatable."
        ),
    ] = None,
    join: Annotated[
        Path | None,
        typer.Option(help="A library's file that the runs join; what it learnt is kept."),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
    engine: EngineName = "processes",
) -> None:
    """Train settings at random, judge them, and keep what they looked like on the way."""
    from dlcc.engine.engines import engine_of
    from dlcc.past_runs.build.library import BuildPlan, build_library
    from dlcc.past_runs.build.single_networks import SinglePlan, build_single

    in_range("--groups", groups, 0, 10_000)
    in_range("--members", members, 1, 512)
    in_range("--tested", tested, 0, 100_000)
    if alone:
        say("--alone is now called --single, and goes in the next version")
        single = single or alone
    in_range("--single", single, 0, 100_000)
    in_range("--seed", seed, 0, 1_000_000_000)
    in_range("--images", images, 0, 100_000)
    in_range("--vaes", vaes, 0, 100_000)
    if (single or vaes) and (recorded or images):
        raise OptionError(
            "--recorded and --images are for GANs, --single and --vaes train single networks: "
            "leave one"
        )
    in_range("--jobs", jobs, 1, 1024)
    where = engine_of(engine, jobs)
    plan = BuildPlan(
        groups=groups,
        members=members,
        seed=seed,
        recorded=tuple(recorded or ()),
        tested=tested,
        images=images,
        folders=_folders(folder or []),
        joined=join,
    )
    with bars() as progress:
        said = partial(progress, "library")
        if single or vaes:
            alike = SinglePlan(single, vaes, seed, plan.folders, join)
            made = build_single(out, alike, where, said)
        else:
            made = build_library(out, plan, where, said)
    typer.echo(_summary(made, out))


def _folders(given: list[str]) -> dict[str, str]:
    """Folders of data sets, of arguments DATA=FOLDER."""
    from dlcc.past_runs.build.image_runs import DATA

    named = dict(text.partition("=")[::2] for text in given)
    for data, folder in named.items():
        if data not in DATA or not folder:
            wanted = " or ".join(f"{name}=FOLDER" for name in DATA)
            raise OptionError(f"--folder {data}={folder}: expected {wanted}")
    return named


@library.command()
def info(
    path: Annotated[
        Path | None, typer.Argument(help="A library's file [default: the one in use]")
    ] = None,
) -> None:
    """Say what a library holds."""
    from dlcc.past_runs.in_use import groups, shipped_path, user_library_path
    from dlcc.past_runs.store import read_library

    if path is not None:
        typer.echo(_summary(read_library(path), path))
        return
    own = [file for group in groups() if (file := user_library_path(group)).exists()]
    shipped = [path for group in groups() if (path := shipped_path(group)) is not None]
    for file in (*shipped, *own):
        typer.echo(_summary(read_library(file), file))
    if not own:
        own_path = user_library_path()
        typer.echo(f"no runs of your own yet; dlcc library add RUN puts them into {own_path}")


@library.command()
def add(
    runs: Annotated[list[Path], typer.Argument(help="Finished runs.", metavar="RUN...")],
    label: Annotated[
        str | None, typer.Option(help="How they ended, if you know; else the verdict counts.")
    ] = None,
) -> None:
    """Add finished runs of your own to your library."""
    from dlcc.past_runs.user_library import add_runs
    from dlcc.runs import Run

    with bars() as progress:
        made = add_runs(
            [Run.open(run) for run in runs],
            label,
            progress=lambda share, what: progress("add", share, what),
        )
    for path, own in made.items():
        typer.echo(_summary(own, path))


def _summary(made: Library, path: Path) -> str:
    import numpy as np

    from dlcc.forecast.own_runs import BY_THE_USER
    from dlcc.forecast.recalibration import FEWEST_LABELLED
    from dlcc.past_runs.store import CONVENTIONS, FRACTIONS

    labelled = int((made.judged_by == BY_THE_USER).sum())
    tested = np.isfinite(made.term("logic")[:, 0])
    fractions = ", ".join(f"{fraction:.0%}" for fraction in FRACTIONS)
    lines = [
        f"{path}: {len(made):,} runs, {path.stat().st_size / 1e6:.2f} MB, "
        f"conventions {CONVENTIONS}",
        f"  {len(made.names)} figures of each at {fractions} of its length",
    ]
    for data, runs in sorted(Counter(made.data.tolist()).items()):
        of_data = np.bincount(made.labels[made.data == data], minlength=len(made.label_names))
        ends = ", ".join(
            f"{n} {label}" for label, n in zip(made.label_names, of_data, strict=True) if n
        )
        lines.append(f"  {data:10} {runs:5,}  {ends}")
    lines.append(
        f"  {tested.sum()} records were put to the test, {(~made.true_record).sum()} of them "
        "doctored copies"
    )
    if labelled:
        lines.append(
            f"  {labelled} labelled by the user; from {FEWEST_LABELLED} on, forecasts are "
            "recalibrated by them"
        )
    return "\n".join(lines)
