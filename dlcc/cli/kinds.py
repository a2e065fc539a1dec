"""Command `dlcc kinds`: kinds of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from dlcc.kinds import Objective


def kinds() -> None:
    """List the kinds of training: players, labels, and losses at which one knows where one is."""
    from dlcc.kinds import kinds as known

    for kind in known().values():
        players = f", players {' and '.join(kind.players)}" if kind.players else ""
        by = "series or samples" if kind.series_tell_health else "samples"
        typer.echo(f"{kind.name}\n  {kind.title}{players}; judged by {by}")
        typer.echo(f"  labels {', '.join(kind.label_names)}")
        typer.echo(f"  logs {', '.join(quantity.name for quantity in kind.quantities)}")
        for objective in kind.objectives:
            typer.echo(f"  {objective.name}: {objective.title}")
            for player, formula in objective.formula.items():
                typer.echo(f"    {player}: {formula}{_levels(objective, player)}")


def _levels(objective: Objective, player: str) -> str:
    """Known losses of a player in words, such as `; at equilibrium 1.386, at least 0`."""
    named = {
        "at equilibrium": objective.at_equilibrium,
        "at chance": objective.at_chance,
        "at least": objective.floor,
        "at most": objective.ceiling,
    }
    said = [f"{words} {of[player]:.4g}" for words, of in named.items() if player in of]
    return f"; {', '.join(said)}" if said else ""
