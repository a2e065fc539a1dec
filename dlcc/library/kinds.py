"""Kinds of trainings: what past runs are, and what is judged by its samples alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ALONE = ("map", "autoencoder", "vae")
"""A network that learns to make samples, with no other one to play against."""


def kind_of(objective: Mapping[str, Any]) -> str:
    """As the run declares it; the library's own kind where it declares none."""
    return str(objective.get("kind", "gan")).lower()


def is_alone(objective: Mapping[str, Any]) -> bool:
    """Whether a training has no game: oscillation and margins are no words for it, and past runs,
    which are GANs, do not tell how it goes on."""
    return kind_of(objective) in ALONE


def no_past_runs(objective: Mapping[str, Any]) -> str:
    """Why past runs say nothing of such a training."""
    return f"past runs are GANs; this run declares kind {kind_of(objective)!r}"
