"""Runs: recording a training, and reading the record back.

Names are imported when they are first used, so that importing this package is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.deprecation import warn_renamed
from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.runs.layout import RunLayout as RunLayout
    from dlcc.runs.machine import machine_fingerprint as machine_fingerprint
    from dlcc.runs.manifest import Manifest as Manifest
    from dlcc.runs.manifest import read_manifest as read_manifest
    from dlcc.runs.recorder import Recorder as Recorder
    from dlcc.runs.run import Run as Run
    from dlcc.runs.run import resolve_until as resolve_until
    from dlcc.runs.series import Column as Column
    from dlcc.runs.series import Series as Series
    from dlcc.runs.snapshots import Snapshot as Snapshot
    from dlcc.runs.training import ProbedTraining as ProbedTraining
    from dlcc.runs.training import Training as Training
    from dlcc.runs.training import resume as resume

_HOMES = {
    "Column": "dlcc.runs.series",
    "Manifest": "dlcc.runs.manifest",
    "ProbedTraining": "dlcc.runs.training",
    "Recorder": "dlcc.runs.recorder",
    "Run": "dlcc.runs.run",
    "RunLayout": "dlcc.runs.layout",
    "Series": "dlcc.runs.series",
    "Snapshot": "dlcc.runs.snapshots",
    "Training": "dlcc.runs.training",
    "machine_fingerprint": "dlcc.runs.machine",
    "read_manifest": "dlcc.runs.manifest",
    "resolve_until": "dlcc.runs.run",
    "resume": "dlcc.runs.training",
}
__all__ = list(_HOMES)
_named, __dir__ = lazy_names(__name__, _HOMES)


def __getattr__(name: str) -> object:
    if name == "SeriesTable":  # before 0.2, in formats of other packages
        warn_renamed(__name__, name, "Series")
        return _named("Series")
    return _named(name)
