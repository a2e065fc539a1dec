"""Command `dlcc train`: a recipe, recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from dlcc.cli.options import pairs_of
from dlcc.cli.progress import bars
from dlcc.control.registry import CONTROLS, DEFAULT, make_control

_CONTROL = "--control"


class TrainCommand(TyperCommand):
    """Command whose `--control` may stand alone, for the controller that goes by past runs."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments, with the default controller's name where `--control` has none."""
        return super().parse_args(ctx, named_control(args))


def named_control(args: Sequence[str]) -> list[str]:
    """Name the default controller after each `--control` that stands alone.

    It does where an option or nothing follows, or a recipe.

    >>> named_control(["ring", "--control", "--dry-run"])
    ['ring', '--control', 'past-runs', '--dry-run']
    >>> named_control(["--control", "akde-bo"])
    ['--control', 'akde-bo']
    """
    found: list[str] = []
    for place, arg in enumerate(args):
        found.append(arg)
        if arg == _CONTROL:
            following = args[place + 1] if place + 1 < len(args) else "-"
            if following.startswith("-") or (following not in CONTROLS and _is_recipe(following)):
                found.append(DEFAULT)
    return found


def _is_recipe(name: str) -> bool:
    from dlcc.recipes import recipes

    return name in recipes()


def train(
    recipe: Annotated[str, typer.Argument(help="One of `dlcc recipes`, such as ring or digits.")],
    out: Annotated[Path, typer.Option(help="The run folder to record into.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, KEY=VALUE; repeatable.")
    ] = None,
    control: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Steer it while it runs, by {', '.join(CONTROLS)}; alone, by {DEFAULT}.",
        ),
    ] = None,
    bound: Annotated[
        list[str] | None,
        typer.Option(help="Bounds of a setting for the controller, as in lr_d=1e-4..1e-2."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option(help="The controller records what it would do, and changes nothing.")
    ] = False,
    landscape: Annotated[
        bool, typer.Option(help="Measure its landscape: curvature, the game, gradients of rows.")
    ] = True,
) -> None:
    """Train one of the recipes, recorded; goes on where an interrupted training stopped."""
    from dlcc.control.adjustable import parse_bounds
    from dlcc.errors import OptionError
    from dlcc.recipes.train import train as train_recipe

    settings = pairs_of(set_ or [])
    if (bound or dry_run) and control is None:
        raise OptionError("--bound and --dry-run are the controller's: add --control")
    controller = None
    if control is not None:
        controller = make_control(control, parse_bounds(bound or []), dry_run=dry_run)
    with bars() as progress:

        def report(done: int, total: int) -> None:
            progress(recipe, done / total, f"step {done:,} of {total:,}")

        train_recipe(
            recipe, out, settings, control=controller, landscape=landscape, progress=report
        )
    if controller is not None:
        for action in controller.actions:
            typer.echo(action.words)
    typer.echo(f"recorded {out}\nnext: dlcc evaluate {out}")
