"""Command `dlcc train`: a recipe, recorded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlcc.cli.options import pairs_of
from dlcc.cli.progress import bars

if TYPE_CHECKING:
    from dlcc.control.recipe_control import RecipeControl


def train(
    recipe: Annotated[str, typer.Argument(help="One of `dlcc recipes`, such as ring or digits.")],
    out: Annotated[Path, typer.Option(help="The run folder to record into.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A setting, KEY=VALUE; repeatable.")
    ] = None,
    control: Annotated[
        bool, typer.Option(help="Steer it while it runs, towards what past runs did well with.")
    ] = False,
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
    from dlcc.errors import OptionError
    from dlcc.recipes.train import train as train_recipe

    settings = pairs_of(set_ or [])
    if (bound or dry_run) and not control:
        raise OptionError("--bound and --dry-run are the controller's: add --control")
    controller = _controller(bound or [], dry_run) if control else None
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


def _controller(bounds: list[str], dry_run: bool) -> RecipeControl:
    from dlcc.control.adjustable import parse_bounds
    from dlcc.control.recipe_control import RecipeControl
    from dlcc.past_runs.in_use import library

    return RecipeControl(parse_bounds(bounds), library=library(), dry_run=dry_run)
