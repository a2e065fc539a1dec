"""Neighbourhood of a run among past ones, as the novelty stage finds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PastNeighbour:
    """Past run that lies near in landscape space, and what became of it."""

    data: str
    config: Mapping[str, str | int | float | bool | None]
    label: str
    stability: float
    distance: float
    """Distance in units of what 90 % of the library's runs keep among themselves."""


@dataclass(frozen=True)
class Neighbourhood:
    """Neighbourhood of the run among past ones."""

    nearest: tuple[PastNeighbour, ...]
    distance: float
    """Mean distance to the five nearest, in the units of `PastNeighbour`; above 1 is outside of the
    library."""
    independence: float
    """Share of past runs that are more central than this one in the run graph, or equally so."""
