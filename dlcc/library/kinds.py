"""Kinds of trainings: games, and networks alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

ALONE = ("map", "autoencoder", "vae")
"""A network that learns to make samples, with no other one to play against."""


def kind_of(objective: Mapping[str, Any]) -> str:
    """As the run declares it; the library's own kind where it declares none."""
    return str(objective.get("kind", "gan")).strip().lower()


def is_alone(objective: Mapping[str, Any]) -> bool:
    """Whether a training has no game: margins are no words for it, it is judged by its samples
    alone, and its past runs are those of networks alone."""
    return kind_of(objective) in ALONE


def why_unknown(objective: Mapping[str, Any], players: Collection[str]) -> str | None:
    """Why nothing is known of trainings of this kind; None where something is."""
    kind = kind_of(objective)
    of_two = not players or {"generator", "discriminator"} <= set(players)
    if kind in ALONE or (kind == "gan" and of_two):
        return None
    return (
        "only GANs (players generator and discriminator), maps and autoencoders can be judged; "
        f"this run declares kind {kind!r} with players {', '.join(sorted(players)) or 'none'}; "
        'if it is one of these, say so in run.json under "objective" and "players", or by --map'
    )


def too_few_samples(objective: Mapping[str, Any]) -> str:
    """Why a training of a network alone, without enough of them, cannot be judged."""
    return (
        f"a training of kind {kind_of(objective)!r} is judged by its samples, and this run has too "
        "few over time, or no reference to hold them against"
    )
