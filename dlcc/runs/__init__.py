"""Runs: recording a training, and reading what it left behind.

Names are imported when they are first used, so that importing this package is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcc.runs.layout import RunLayout as RunLayout
    from dlcc.runs.machine import machine_fingerprint as machine_fingerprint
    from dlcc.runs.manifest import Manifest as Manifest
    from dlcc.runs.manifest import read_manifest as read_manifest
    from dlcc.runs.recorder import Recorder as Recorder
    from dlcc.runs.run import Run as Run
    from dlcc.runs.run import resolve_until as resolve_until
    from dlcc.runs.series import Column as Column
    from dlcc.runs.series import SeriesTable as SeriesTable
    from dlcc.runs.snapshots import Snapshot as Snapshot
    from dlcc.runs.training import ProbedTraining as ProbedTraining
    from dlcc.runs.training import Training as Training
    from dlcc.runs.training import resume as resume

_MODULES = {
    "Column": "series",
    "Manifest": "manifest",
    "ProbedTraining": "training",
    "Recorder": "recorder",
    "Run": "run",
    "RunLayout": "layout",
    "SeriesTable": "series",
    "Snapshot": "snapshots",
    "Training": "training",
    "machine_fingerprint": "machine",
    "read_manifest": "manifest",
    "resolve_until": "run",
    "resume": "training",
}
__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
