"""Typed records: the parts of a run, and what stages hand to each other. Arrays are read-only."""

from __future__ import annotations

import warnings
from typing import Any

from dlcc.records.advice import AdviceRecord, AdvisedChange
from dlcc.records.dossier import (
    Block,
    BlockKind,
    DocumentSeries,
    Dossier,
    Formula,
    Function,
    MeasuredLandscape,
    MeasuredSeries,
    PlayerCloud,
)
from dlcc.records.forecast import Diffusion, FeatureEffect, Forecast, ForecastPoint
from dlcc.records.health import LABELS, UNTRAINED, HealthRecord, most_probable
from dlcc.records.neighbourhood import Neighbourhood, PastNeighbour
from dlcc.records.obligations import Obligation, ObligationKind, Obligations, Verdict
from dlcc.records.replays import Executed, ReplayCheck, ReplayKind
from dlcc.records.reruns import Effect, Outcome, RerunOutcome, Reruns
from dlcc.records.run_graph import Edge, EdgeKind, Node, NodeKind, RunGraph
from dlcc.records.run_parts import (
    RUN_PARTS,
    Config,
    Documents,
    RunPart,
    Samples,
    Snapshots,
    Sources,
)
from dlcc.runs.series import Column, Series

__all__ = [
    "LABELS",
    "RUN_PARTS",
    "UNTRAINED",
    "AdviceRecord",
    "AdvisedChange",
    "Block",
    "BlockKind",
    "Column",
    "Config",
    "Diffusion",
    "DocumentSeries",
    "Documents",
    "Dossier",
    "Edge",
    "EdgeKind",
    "Effect",
    "Executed",
    "FeatureEffect",
    "Forecast",
    "ForecastPoint",
    "Formula",
    "Function",
    "HealthRecord",
    "MeasuredLandscape",
    "MeasuredSeries",
    "Neighbourhood",
    "Node",
    "NodeKind",
    "Obligation",
    "ObligationKind",
    "Obligations",
    "Outcome",
    "PastNeighbour",
    "PlayerCloud",
    "ReplayCheck",
    "ReplayKind",
    "RerunOutcome",
    "Reruns",
    "RunGraph",
    "RunPart",
    "Samples",
    "Series",
    "Snapshots",
    "Sources",
    "Verdict",
    "most_probable",
]


def __getattr__(name: str) -> Any:
    if name != "Label":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        "dlcc.records.Label is str now, for kinds bring labels of their own; it goes in 0.3",
        DeprecationWarning,
        stacklevel=2,
    )
    return str
