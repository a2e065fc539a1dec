"""JSON documents of a snapshot's folder, as anybody may have written them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import ValidationError

from dlcc.errors import SnapshotError
from dlcc.runs.files import read_regular
from dlcc.runs.texts import bad_text


class OfStep(Protocol):
    """Head of a document that says which step it belongs to."""

    @property
    def step(self) -> int: ...


T = TypeVar("T", bound=OfStep)


def read_document(
    path: Path,
    step: int,
    validate: Callable[[Any], T],
    *,
    schema: int,
    max_bytes: int,
    remedy: str,
    unchecked: Collection[str] = (),
) -> T:
    """Read a document of the folder for `step`.

    Args:
        path: JSON file.
        step: Step that the folder is named after.
        validate: Function that makes the record, or raises pydantic's ValidationError.
        schema: Newest version that is understood.
        max_bytes: Largest size of the file in bytes.
        remedy: Advice for a damaged document, as the end of a sentence.
        unchecked: Keys whose texts name nothing and are never shown.

    Raises:
        SnapshotError: The document is missing, cut, of a later version, of another step, or has
            wrong values.
    """
    try:
        content = json.loads(read_regular(path, max_bytes, SnapshotError))
    except (ValueError, RecursionError) as error:
        raise SnapshotError(
            f"{path}: not valid JSON ({error}); the file is cut or damaged, {remedy}"
        ) from None
    version = content.get("schema") if isinstance(content, dict) else None
    if isinstance(version, int) and version > schema:
        raise SnapshotError(
            f"{path}: key schema: expected at most {schema}, found {version}; update dlcc"
        )
    if isinstance(content, dict):
        shown = {key: value for key, value in content.items() if key not in unchecked}
        if wrong := bad_text(shown, values=False):
            raise SnapshotError(f"{path}: {wrong}; {remedy}")
    try:
        record = validate(content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in problem["loc"]) or "(root)"
        raise SnapshotError(f"{path}: key {key}: {problem['msg'].lower()}; {remedy}") from None
    if record.step != step:
        raise SnapshotError(
            f"{path}: key step: expected {step} as its folder is named, found {record.step}; "
            "the folder was renamed"
        )
    return record
