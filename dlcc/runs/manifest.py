"""Manifest run.json: description of a run, in plain values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dlcc.errors import OptionError, RunError
from dlcc.runs.files import read_regular, write_text
from dlcc.runs.texts import bad_text

SCHEMA = 1
_MAX_BYTES = 16 * 2**20  # a configuration has no business being larger; bounds what is parsed
_FREE = ("objective", "data", "config", "machine")


class PlayerEntry(BaseModel):
    """Network that minimises a loss of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    class_name: str = Field(validation_alias="class", serialization_alias="class")
    """Class of the module, as `module.QualName`."""
    parameters: int = Field(ge=0, strict=True)
    """Number of numbers that the player's parameters hold."""
    buffers: tuple[str, ...] = ()
    """Names of tensors of the player's state that no optimiser moves, such as running means."""


class Manifest(BaseModel):
    """Content of run.json."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: int = Field(
        default=SCHEMA, validation_alias="schema", serialization_alias="schema", ge=1, strict=True
    )
    """Version of the run folder's format."""
    name: str = Field(min_length=1)
    """Name of the run."""
    players: dict[str, PlayerEntry] = Field(default_factory=dict)
    """Players by name; empty where the recorder was given none."""
    objective: dict[str, Any] = Field(default_factory=dict)
    """Objective of the players, such as `{"kind": "gan", "loss": "ns"}`."""
    data: dict[str, Any] = Field(default_factory=dict)
    """Description of the training data, such as `{"name": "ring"}`."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Configuration: the training's entry point is called with it."""
    seed: int | None = Field(default=None, strict=True)
    """Seed of the training, where it names one."""
    length: int | None = Field(default=None, ge=1, le=2**53, strict=True)
    """Configured number of steps; a run may be shorter or longer."""
    training: str | None = None
    """Entry point that builds the training again, such as `source/train.py:build`."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Versions of the software that recorded the run."""
    machine: dict[str, Any] = Field(default_factory=dict)
    """Machine that recorded the run, see `machine_fingerprint`."""
    created: str = ""
    """Time of the recording's start, as ISO 8601 with its time zone."""


def read_manifest(path: Path) -> Manifest:
    """Read run.json.

    Args:
        path: File run.json.

    Returns:
        Its content, checked key by key.

    Raises:
        RunError: The file is missing, cut, of a later version, or a key has a wrong value.

    >>> manifest = read_manifest(Path("runs/digits-collapsed/run.json"))
    >>> manifest.objective, manifest.length, manifest.training
    ({'kind': 'gan', 'loss': 'mm'}, 3200, 'source/train.py:build')
    """
    if not path.exists():
        raise RunError(
            f"{path}: not found, so this is not a run folder; "
            "record one with dlcc.Recorder or name the folder that holds run.json"
        )
    data = read_regular(path, _MAX_BYTES, RunError)
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RunError(
            f"{path}: not valid JSON ({error}); the file is cut or damaged, restore it from a copy"
        ) from None
    if not isinstance(content, dict):
        raise RunError(f"{path}: expected a JSON object, found {type(content).__name__}")
    version = content.get("schema")
    if isinstance(version, int) and version > SCHEMA:
        raise RunError(
            f"{path}: key schema: expected at most {SCHEMA}, found {version}; "
            "the run was recorded by a later version of dlcc, update this one"
        )
    if version is None:
        raise RunError(f"{path}: key schema: missing; this run.json is not one of dlcc")
    if problem := bad_manifest_text(content):
        raise RunError(f"{path}: {problem}; correct it")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise _first_problem(path, error) from None


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write run.json whole."""
    content = manifest.model_dump(by_alias=True)
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def bad_manifest_text(content: Mapping[str, Any]) -> str | None:
    """Find the first text of a run.json that breaks the rule of `dlcc.runs.texts`; answers with its
    key.

    What describes the training is free text; everything else names something.
    """
    free = {key: content[key] for key in _FREE if key in content}
    return bad_text({k: v for k, v in content.items() if k not in free}, values=False) or bad_text(
        free
    )


def plain(value: object, key: str) -> Any:
    """Copy `value` into what JSON holds; tuples become lists.

    Raises:
        OptionError: A part is anything else, NaN and infinities included; its key is named.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise OptionError(f"{key}: expected a finite number, found {value!r}; write it as text")
        return float(value)
    if isinstance(value, (list, tuple)):
        return [plain(item, f"{key}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise OptionError(f"{key}: expected text as keys, found {name!r}")
        return {name: plain(item, f"{key}.{name}") for name, item in value.items()}
    raise OptionError(
        f"{key}: expected a plain value (number, text, boolean, list, mapping), "
        f"found {type(value).__name__}; convert it, for example with float(...) or str(...)"
    )


def _first_problem(path: Path, error: ValidationError) -> RunError:
    problem = error.errors(include_url=False)[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "missing":
        return RunError(f"{path}: key {key}: missing; restore the file from a copy")
    found = repr(problem["input"])
    found = found if len(found) <= 80 else found[:77] + "..."
    return RunError(f"{path}: key {key}: {problem['msg'].lower()}, found {found}; correct the key")
