"""Reruns of a training and how they ended, as the reproducibility stage reports them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dlcc.estimate import Estimate


@dataclass(frozen=True)
class Outcome:
    """End of one training, judged from its record alone."""

    label: str
    p_healthy: float
    stability: float
    """Mean P(good) over the second half."""


@dataclass(frozen=True, kw_only=True)
class RerunOutcome(Outcome):
    """End of one rerun of the run's training."""

    kind: Literal["seed", "batches", "setting"]
    """Another seed; other batches from the same initial weights; another setting."""
    seed: int
    changes: Mapping[str, str | int | float | bool | None]
    """Changes of the configuration, beside the seed."""


@dataclass(frozen=True)
class Effect:
    """What a setting does to the outcome."""

    setting: str
    low: str | int | float | bool | None
    high: str | int | float | bool | None
    effect: Estimate
    """Stability at the high level less that at the low one, moved from [-1, 1] to [0, 1]."""


@dataclass(frozen=True)
class Reruns:
    """What came of running the training again."""

    outcomes: tuple[RerunOutcome, ...]
    how: str
    """One ensemble, or one process after the other."""
    deviation: Estimate
    """1 less the normalised standard deviation of the stability of reruns with other seeds."""
    effects: tuple[Effect, ...]
    best: Mapping[str, str | int | float | bool | None]
    """The changes with the best outcome; empty where none beats the run's own setting."""
    refused: int = 0
    """Reruns with another setting that the run's code did not take."""
