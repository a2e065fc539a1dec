"""Optimisers as snapshots hold them, and the weights that they step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlcc.settings.nested import is_number
from dlcc.stages.recorded_state import RecordedState


@dataclass(frozen=True)
class Optimiser:
    """Optimiser as a snapshot holds it."""

    name: str
    """Name under which the training keeps it."""
    player: str | None
    """Player whose weights it has by their number and shapes; None where several fit."""
    groups: Sequence[Mapping[str, Any]]
    """Groups of parameters with their settings."""

    def values(self, setting: str) -> list[float]:
        """Values of a setting over the groups; of a rate that a schedule moves, the first one."""
        found = []
        for group in self.groups:
            name, _, place = setting.partition(".")
            value = group.get("initial_lr", group.get("lr")) if name == "lr" else group.get(name)
            if place and isinstance(value, Mapping):
                value = value.get("$tuple")
            if place and isinstance(value, Sequence) and len(value) > int(place):
                value = value[int(place)]
            if is_number(value):
                found.append(float(value))
        return found


def optimisers_of(state: RecordedState) -> list[Optimiser]:
    """Find the optimisers in a snapshot's state.

    A player's is the one whose groups have as many weights as the player, of the same shapes where
    it keeps moments.
    """
    tree = state.tree.get("state") if isinstance(state.tree, Mapping) else None
    objects = tree.get("objects", {}) if isinstance(tree, Mapping) else {}
    players = tree.get("players", {}) if isinstance(tree, Mapping) else {}
    found = []
    for name, held in objects.items() if isinstance(objects, Mapping) else ():
        groups = held.get("param_groups") if isinstance(held, Mapping) else None
        if not isinstance(groups, Sequence) or not all(isinstance(g, Mapping) for g in groups):
            continue
        count = sum(len(g.get("params", ())) for g in groups)
        shapes = _moment_shapes(state, str(name))
        fits = [
            player
            for player in players
            if count == len(weights := weight_shapes(state, player))
            and (not shapes or shapes == sorted(weights))
        ]
        found.append(Optimiser(str(name), fits[0] if len(fits) == 1 else None, groups))
    return found


def players_of(state: RecordedState) -> list[str]:
    """List the players in a snapshot's state."""
    return sorted({n.split("/")[2] for n in state.state if n.startswith("state/players/")})


def weight_shapes(state: RecordedState, player: str) -> list[tuple[int, ...]]:
    """List the shapes of a player's weights in a snapshot's state, buffers left out."""
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    return [
        array.shape
        for name, array in state.state.items()
        if name.startswith(f"state/players/{player}/") and not name.endswith(buffers)
    ]


def _moment_shapes(state: RecordedState, name: str) -> list[tuple[int, ...]]:
    moments = ("exp_avg", "momentum_buffer", "square_avg")
    return sorted(
        array.shape
        for path, array in state.state.items()
        if path.startswith(f"state/objects/{name}/") and path.endswith(moments)
    )
