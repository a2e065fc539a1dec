"""Landscape as it was measured at a snapshot: `landscape.json` in its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, with_config

from dlcc.landscape.summary import LandscapeSummary
from dlcc.runs.files import write_text
from dlcc.runs.snapshot_documents import read_document

SCHEMA = 1
_MAX_BYTES = 2**22


@with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
@dataclass(frozen=True)
class SnapshotLandscape:
    """Content of landscape.json."""

    schema: int
    step: int
    """Step of the snapshot, which has the state before it."""
    rows: int
    """Rows of the batch that was looked at."""
    seconds: float
    """Seconds that measuring took."""
    since: int | None
    """Step from which the path comes."""
    survey: LandscapeSummary
    """Summary of the landscape, named as its key in the file."""


@cache
def _adapter() -> TypeAdapter[SnapshotLandscape]:
    return TypeAdapter(SnapshotLandscape)


def write_landscape(path: Path, record: SnapshotLandscape) -> None:
    """Write landscape.json whole.

    Raises:
        RunError: The system refused the write.
    """
    write_text(path, json.dumps(_adapter().dump_python(record, mode="json")) + "\n")


def read_landscape(path: Path, step: int) -> SnapshotLandscape:
    """Read landscape.json of the snapshot of `step`.

    Raises:
        SnapshotError: The file is missing, cut, of a later version, of another step, or has wrong
            values.
    """
    return read_document(
        path,
        step,
        _adapter().validate_python,
        schema=SCHEMA,
        max_bytes=_MAX_BYTES,
        remedy="remove it",
    )
