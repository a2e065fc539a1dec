"""Command `dlcc stages`: the stages that are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    pass


def stages() -> None:
    """List the installed stages: what each does, takes and gives."""
    from dlcc.pipeline import discovery, order

    for stage in order(list(discovery.installed().values())):
        typer.echo(f"{stage.name}\n  {stage.describe()}")
        for word in ("needs", "wants", "gives"):
            kinds = ", ".join(kind.__name__ for kind in getattr(stage, word))
            if kinds:
                typer.echo(f"  {word} {kinds}")
        settings = ", ".join(f"{key}={value}" for key, value in stage.settings().items())
        if settings:
            typer.echo(f"  settings {settings}")
