"""Kinds of training: what is particular to each, as data; one file a kind."""

from dlcc.kinds.kind import (
    HealthLabel,
    Mark,
    Objective,
    PastRuns,
    Quantity,
    TrainingKind,
)
from dlcc.kinds.registry import declared_kind, kind_of, kinds, why_unknown

__all__ = [
    "HealthLabel",
    "Mark",
    "Objective",
    "PastRuns",
    "Quantity",
    "TrainingKind",
    "declared_kind",
    "kind_of",
    "kinds",
    "why_unknown",
]
