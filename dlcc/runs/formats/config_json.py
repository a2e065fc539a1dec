"""Reader of a config.json as training scripts write it: flat keys, some of a known meaning."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlcc.errors import RunError
from dlcc.runs.files import read_regular
from dlcc.runs.formats.quoting import short
from dlcc.runs.texts import bad_text

_MAX_BYTES = 2**20
_LARGEST = 2**63 - 1  # of a whole number anywhere in the file


@dataclass(frozen=True)
class _Key:
    """Key of a known meaning."""

    name: str
    """Name of the key in our recipes."""
    kind: str
    """Type of the value: `text`, `whole` or `number`."""
    low: float = 0
    high: float = math.inf
    one_of_ours: bool = False
    """Whether the text names a loss or an optimiser, which ours write in lower case."""

    def read(self, place: str, value: object) -> str | int | float:
        """Read the value in the key's type.

        Raises:
            RunError: The value has another type, or makes no sense.
        """
        if self.kind == "text":
            if isinstance(value, str) and value.strip():
                return value.strip().lower() if self.one_of_ours else value
            raise self._refused(place, "a text", value)
        words = "a whole number" if self.kind == "whole" else "a number"
        expected = f"{words} from {self.low:g} to {self.high:g}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refused(place, expected, value)
        if not self.low <= value <= self.high:
            raise self._refused(place, expected, value)
        if self.kind == "number":
            return float(value)
        if value != int(value):
            raise self._refused(place, expected, value)
        return int(value)

    @staticmethod
    def _refused(place: str, expected: str, value: object) -> RunError:
        return RunError(
            f"{place}: expected {expected}, found {short(value)}; correct it or take the key out"
        )


_SIZE = 2.0**31
KEYS: Mapping[str, _Key] = {
    "dataset": _Key("data", "text"),
    "loss": _Key("loss", "text", one_of_ours=True),
    "optim": _Key("optimizer", "text", one_of_ours=True),
    "lr_g": _Key("lr_g", "number", 0, 1e3),
    "lr_d": _Key("lr_d", "number", 0, 1e3),
    "beta1": _Key("beta1", "number", 0, 1),
    "beta2": _Key("beta2", "number", 0, 1),
    "g_every": _Key("g_every", "whole", 1, 1e6),
    "d_every": _Key("d_every", "whole", 1, 1e6),
    "batch": _Key("batch", "whole", 1, _SIZE),
    "width": _Key("width", "whole", 1, _SIZE),
    "depth": _Key("depth", "whole", 1, 1e6),
    "zdim": _Key("zdim", "whole", 1, _SIZE),
    "init": _Key("init", "number", 0, 1e3),
    "seed": _Key("seed", "whole", -(2.0**53), 2.0**53),
    "total_iterations": _Key("steps", "whole", 1, 2.0**53),
}
"""Known keys and what each means; every other key is kept as it is."""


@dataclass(frozen=True)
class ConfigFile:
    """Content of a config.json, under our names."""

    values: Mapping[str, Any] = field(default_factory=dict)
    known: Mapping[str, Any] = field(default_factory=dict)
    """Values of the keys in `KEYS`, by these keys."""
    left_out: tuple[str, ...] = ()
    """Keys that were not taken: they hold lists or mappings, or repeat what another key says."""


def read_config(path: Path) -> ConfigFile:
    """Read the file; a missing file gives an empty `ConfigFile`.

    Raises:
        RunError: The file is no JSON object, or a key's value has a wrong type or makes no sense.
    """
    if not os.path.lexists(path):
        return ConfigFile()
    content = _parsed(path)
    known = {
        key: KEYS[key].read(_place(path, key), value)
        for key, value in content.items()
        if key in KEYS and value is not None  # null says nothing, as leaving the key out does
    }
    values: dict[str, Any] = {KEYS[key].name: value for key, value in known.items()}
    left_out = []
    for key, value in content.items():
        if key in KEYS:
            continue
        if isinstance(value, dict | list) or key in values:
            left_out.append(key)
        else:
            values[key] = _scalar(_place(path, key), value)
    if problem := bad_text(values):
        raise RunError(f"{path}: {problem}; correct it or take it out")
    return ConfigFile(values, known, tuple(left_out))


def _place(path: Path, key: str) -> str:
    return f"{path}: key {short(key)[1:-1]}"


def _parsed(path: Path) -> dict[str, Any]:
    data = read_regular(path, _MAX_BYTES, RunError)
    try:
        content = json.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:120]
        raise RunError(f"{path}: not valid JSON ({reason}); correct it or take it away") from None
    if not isinstance(content, dict):
        raise RunError(
            f'{path}: expected a JSON object such as {{"lr_g": 0.0002}}, found '
            f"{type(content).__name__}; correct it or take it away"
        )
    return content


def _scalar(place: str, value: object) -> str | int | float | bool | None:
    """Check and return a single value that is kept without its meaning being known."""
    if isinstance(value, float) and not math.isfinite(value):
        raise RunError(
            f"{place}: expected a finite number, found {value}; write it as text or take it out"
        )
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise RunError(
            f"{place}: expected a whole number of at most 64 bits, found {short(value)}; "
            "write it as text or take it out"
        )
    assert value is None or isinstance(value, str | int | float)
    return value
