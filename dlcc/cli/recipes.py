"""Command `dlcc recipes`: trainings that one can run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dlcc.recipes import Recipe


def recipes(
    as_json: Annotated[
        bool, typer.Option("--json", help="With every setting, and the sizes of the networks.")
    ] = False,
) -> None:
    """List the trainings that `dlcc train` knows."""
    from dlcc.recipes import recipes as known

    if as_json:
        typer.echo(json.dumps([_described(recipe) for recipe in known().values()], indent=1))
        return
    width = max(map(len, known()))
    for name, recipe in known().items():
        typer.echo(f"{name:<{width}}  {recipe.description}")


def _described(recipe: Recipe) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "description": recipe.description,
        "parameters": recipe.parameters(),
        "settings": {
            option.key: {
                "default": option.default,
                "meaning": option.help,
                "allowed": option.allowed,
            }
            for option in recipe.options
        },
    }
