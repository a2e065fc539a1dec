"""Outcome of a stage, and the limits within which it was reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dlcc.estimate import Estimate
from dlcc.findings import Finding

Status = Literal["scored", "not applicable", "failed"]


@dataclass(frozen=True)
class Limits:
    """Bounds on each stage, over its whole process tree."""

    seconds: float = 300.0
    memory: int = 4 << 30
    """Memory in bytes."""


@dataclass(frozen=True)
class StageOutcome:
    """Result of a stage, with what the pipeline adds to it."""

    stage: str
    describes: str
    version: int
    settings: Mapping[str, Any]
    status: Status
    reason: str | None = None
    terms: Mapping[str, Estimate] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    records: tuple[Any, ...] = ()
    digest: str = ""
    """Hash of all that the stage read."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Figures that may differ between evaluations: seconds, peak memory, isolation, limits,
    tracebacks."""

    @property
    def lasting(self) -> bool:
        """Whether the same run would have the same result another time.

        What failed or was cut off by a limit was so by chance, and the run does not tell what rests
        on files outside of it.
        """
        told = self.environment
        return self.status != "failed" and not told.get("cut") and not told.get("outside")


def terms_of(outcomes: Iterable[StageOutcome]) -> dict[str, Estimate]:
    """Collect every term of the score that stages fed, those fed by several pooled.

    Args:
        outcomes: Outcomes of stages.

    Returns:
        Estimate of each term, by its name.

    >>> outcomes = [
    ...     StageOutcome("a", "", 1, {}, "scored", terms={"logic": Estimate.proportion(9, 10)}),
    ...     StageOutcome("b", "", 1, {}, "scored", terms={"logic": Estimate.proportion(5, 10)}),
    ... ]
    >>> terms_of(outcomes) == {"logic": Estimate.proportion(14, 20)}
    True
    """
    fed: dict[str, list[Estimate]] = {}
    for outcome in outcomes:
        for name, estimate in outcome.terms.items():
            fed.setdefault(name, []).append(estimate)
    return {name: Estimate.pooled(parts) for name, parts in fed.items()}
