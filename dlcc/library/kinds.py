"""Kinds of trainings: games, and networks alone."""

from __future__ import annotations

from collections.abc import Mapping
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


def too_few_samples(objective: Mapping[str, Any]) -> str:
    """Why a training of a network alone, without enough of them, cannot be judged."""
    return (
        f"a training of kind {kind_of(objective)!r} is judged by its samples, and this run has too "
        "few over time, or no reference to hold them against"
    )
