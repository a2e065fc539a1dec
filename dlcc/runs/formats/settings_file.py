"""Settings of the user for a foreign folder: dlcc.toml beside it or above it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dlcc.errors import OptionError, RunError
from dlcc.runs.files import read_regular
from dlcc.runs.formats.foreign_config import OBJECTIVES
from dlcc.runs.formats.format import checked_mapping

NAME = "dlcc.toml"
_MAX_BYTES = 1 << 18
_DEEPEST = 6
_KEYS = ("kind", "objective", "map")


@dataclass(frozen=True)
class FolderSettings:
    """Settings of a folder.

    ```toml
    kind = "gan"
    objective = "hinge"

    [map]
    "discriminator/loss" = "errD"
    ```
    """

    mapping: Mapping[str, str] = field(default_factory=dict)
    kind: str | None = None
    objective: str | None = None


def settings_for(path: Path) -> FolderSettings:
    """Find the settings for a folder or a file: the nearest dlcc.toml in it or above it.

    Args:
        path: Folder or file of a run.

    Returns:
        Settings; empty ones where there is no such file.

    Raises:
        OptionError: The file is no TOML, or a key has a wrong value.
    """
    try:
        here = path.resolve() if path.is_dir() else path.resolve().parent
        near = [folder / NAME for folder in (here, *here.parents)[:_DEEPEST]]
        file = next((file for file in near if file.is_file()), None)
    except (OSError, ValueError, RuntimeError):  # no system takes such a name: opening it says so
        return FolderSettings()
    return FolderSettings() if file is None else _read(file)


def _read(file: Path) -> FolderSettings:
    try:
        content = tomllib.loads(read_regular(file, _MAX_BYTES, RunError).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OptionError(f"{file}: not valid TOML ({error}); correct it") from None
    unknown = [key for key in content if key not in _KEYS]
    if unknown:
        raise OptionError(f"{file}: key {unknown[0]}: expected one of {', '.join(_KEYS)}")
    mapping = content.get("map", {})
    if not isinstance(mapping, dict) or not all(isinstance(v, str) for v in mapping.values()):
        raise OptionError(
            f'{file}: key map: expected a table such as "discriminator/loss" = "errD"'
        )
    texts = {key: content.get(key) for key in ("kind", "objective")}
    for key, value in texts.items():
        if value is not None and not isinstance(value, str):
            raise OptionError(f"{file}: key {key}: expected a text, found {value!r:.40}")
    if texts["objective"] is not None and texts["objective"] not in OBJECTIVES:
        raise OptionError(
            f"{file}: key objective: expected one of {', '.join(OBJECTIVES)}, found "
            f"{texts['objective']!r:.40}"
        )
    return FolderSettings(checked_mapping(mapping), texts["kind"], texts["objective"])
