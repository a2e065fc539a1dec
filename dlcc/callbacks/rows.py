"""Rows of a record from what a framework's module logs under names of its own."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from dlcc.runs.roles import role_of_name
from dlcc.runs.series_format import is_quantity

_OTHER = re.compile(r"[^A-Za-z0-9_.\-]+")
_SETTINGS = ("lr",)


def row_of(logged: Mapping[str, Any], players: Collection[str]) -> dict[str, Any]:
    """Name what was logged by player and quantity.

    Args:
        logged: Numbers or 0-d tensors by the names that they were logged under.
        players: Names of the players, at least one.

    Returns:
        The same numbers by `player/quantity`: as they were named, where the first part is a
        player; else by what the words of the name say, where that is one of the players; else as
        quantities of the first player. Of two that say the same the first one has the name.

    >>> row_of({"g_loss": 0.7, "critic_loss": 1.4, "edge": 2.0}, ["generator", "discriminator"])
    {'generator/loss': 0.7, 'discriminator/loss': 1.4, 'generator/edge': 2.0}
    >>> row_of({"train_loss": 0.7, "kld": 0.1, "net/bits": 3.0}, ["model"])
    {'model/loss': 0.7, 'model/kl': 0.1, 'net/bits': 3.0}
    """
    row: dict[str, Any] = {}
    first = next(iter(players))
    for name, value in logged.items():
        own = name if "/" in name else f"{first}/{_OTHER.sub('_', name)}"
        if name.partition("/")[0] not in players:
            role, _ = role_of_name(name)
            if role is not None and role.player in players and role.quantity not in _SETTINGS:
                side = "validation_" if role.validation else ""
                told = f"{role.player}/{side}{role.quantity}"
                own = own if told in row else told
        if is_quantity(own):
            row.setdefault(own, value)
    return row
