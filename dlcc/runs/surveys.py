"""What was measured of the landscape at a snapshot: `landscape.json` in its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from dlcc.errors import SnapshotError
from dlcc.landscape.surveyed import Survey
from dlcc.runs.files import read_regular, write_text

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
    try:
        content = json.loads(read_regular(path, _MAX_BYTES, SnapshotError))
    except (ValueError, RecursionError) as error:
        raise SnapshotError(
            f"{path}: not valid JSON ({error}); the file is cut or damaged, remove it"
        ) from None
    version = content.get("schema") if isinstance(content, dict) else None
    if isinstance(version, int) and version > SCHEMA:
        raise SnapshotError(
            f"{path}: key schema: expected at most {SCHEMA}, found {version}; update dlcc"
        )
    try:
        record = _adapter().validate_python(content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"]) or "(root)"
        raise SnapshotError(f"{path}: key {key}: {problem['msg'].lower()}; remove it") from None
    if record.step != step:
        raise SnapshotError(
            f"{path}: key step: expected {step} as its folder is named, found {record.step}; "
            "remove it"
        )
    return record
