"""What was measured of the landscape at a snapshot: `landscape.json` in its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, with_config

from dlcc.landscape.surveyed import Survey
from dlcc.runs.files import write_text
from dlcc.runs.snapshot_documents import read_document

SCHEMA = 1
_MAX_BYTES = 2**22


@with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
@dataclass(frozen=True)
class SurveyRecord:
    """The content of landscape.json."""

    schema: int
    step: int
    """Of the snapshot, which has the state before it."""
    rows: int
    """Of the batch that was looked at."""
    seconds: float
    """That it took."""
    since: int | None
    """The step from which the path comes."""
    survey: Survey


@cache
def _adapter() -> TypeAdapter[SurveyRecord]:
    return TypeAdapter(SurveyRecord)


def write_survey(path: Path, record: SurveyRecord) -> None:
    """Write landscape.json whole.

    Raises:
        RunError: the system refused the write.
    """
    write_text(path, json.dumps(_adapter().dump_python(record, mode="json")) + "\n")


def read_survey(path: Path, step: int) -> SurveyRecord:
    """Read landscape.json of the snapshot of `step`.

    Raises:
        SnapshotError: it is missing, cut, of a later version, of another step or has wrong values.
    """
    return read_document(
        path,
        step,
        _adapter().validate_python,
        schema=SCHEMA,
        max_bytes=_MAX_BYTES,
        remedy="remove it",
    )
