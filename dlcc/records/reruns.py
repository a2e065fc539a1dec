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
    """Type of the rerun: another seed; other batches from the same initial weights; another
    setting."""
    seed: int
    changes: Mapping[str, str | int | float | bool | None]
    """Changes of the configuration, beside the seed."""


@dataclass(frozen=True)
class Effect:
    """Effect of a setting on the outcome."""

    setting: str
    low: str | int | float | bool | None
    high: str | int | float | bool | None
    effect: Estimate
    """Stability at the high level less that at the low one, moved from [-1, 1] to [0, 1]."""


@dataclass(frozen=True)
class Reruns:
    """Results of running the training again."""

    outcomes: tuple[RerunOutcome, ...]
    how: str
    """Way of running: one ensemble, or one process after the other."""
    deviation: Estimate
    """Closeness of reruns with other seeds to the run's own end, where that is known, else to each
    other: 1 less the normalised deviation of their stability."""
    effects: tuple[Effect, ...]
    best: Mapping[str, str | int | float | bool | None]
    """Changes with the best outcome; empty where none beats the run's own setting."""
    refused: int = 0
    """Number of reruns with another setting that the run's code did not take."""
    own: Outcome | None = None
    """End of the run itself, judged as its reruns are; None where it has not come to its end."""
