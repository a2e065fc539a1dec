"""Advice on a run, as reports show it: changes with what past runs expect of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcc.estimate import Number


@dataclass(frozen=True)
class AdvisedChange:
    """Change of a configuration, and what past runs say of it."""

    words: str
    fields: Mapping[str, Any]
    """Field of the configuration to its new value."""
    p_healthy: Number
    """P(healthy) after the change."""


@dataclass(frozen=True)
class AdviceRecord:
    """Changes that would mend a run, by past runs; `dlcc advise` may say more, by reruns."""

    changes: tuple[AdvisedChange, ...]
    """Changes, the best first."""
    another_seed: Number
    """P(healthy) of unchanged settings, by past runs and the run's own reruns."""
    reruns: int
    """Number of reruns with other seeds behind `another_seed`."""
    why_no_reruns: str | None = None
    """Reason why `dlcc advise` tries no changes in reruns; null where it does."""
