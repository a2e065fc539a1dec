"""Neighbourhood of a run among past ones, as the novelty stage finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PastNeighbour:
    """A past run that lies near in landscape space, and what became of it."""

    data: str
    config: Mapping[str, str | int | float | bool | None]
    label: str
    stability: float
    distance: float
    """In units of what 90 % of the library's runs keep among themselves."""


@dataclass(frozen=True)
class Neighbourhood:
    """Where the run lies among past ones."""

    nearest: tuple[PastNeighbour, ...]
    distance: float
    """Mean over the five nearest, in the same units; above 1 is outside of the library."""
    independence: float
    """1 less the share of past runs that are less central than this one in the run graph."""
