"""Description of a run: written into its manifest, compared when the run is continued."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcc.errors import OptionError, RunError
from dlcc.runs.machine import machine_fingerprint, software_versions
from dlcc.runs.manifest import Manifest, PlayerEntry, bad_manifest_text, plain
from dlcc.runs.texts import bad_text

if TYPE_CHECKING:
    from torch import nn

_ENTRY = re.compile(r"[^:]+:[A-Za-z_]\w*")
_PLAYER = re.compile(r"[A-Za-z0-9_.\-]+")


@dataclass(frozen=True)
class Description:
    """Arguments of a recorder that describe the run."""

    name: str | None = None
    players: Mapping[str, nn.Module] = field(default_factory=dict)
    objective: Mapping[str, Any] | None = None
    data: Mapping[str, Any] | None = None
    config: Mapping[str, Any] | None = None
    seed: int | None = None
    length: int | None = None
    training_entry: str | None = None

    def manifest(self, path: Path) -> Manifest:
        """Make the manifest of a run that begins at `path`.

        Raises:
            OptionError: A value is not plain, makes no sense, or could not be read back.
        """
        said: dict[str, Any] = {
            "name": self.name or path.resolve().name,
            "players": {name: _player_entry(name, p) for name, p in self.players.items()},
            "objective": plain(self.objective or {}, "objective"),
            "data": plain(self.data or {}, "data"),
            "config": plain(self.config or {}, "config"),
            "seed": _whole(self.seed, "seed", smallest=None),
            "length": _whole(self.length, "length", smallest=1),
            "training": _entry(self.training_entry),
        }
        if problem := bad_manifest_text(said):
            raise OptionError(f"{problem}; rename it")
        return Manifest(
            **said,
            versions=software_versions(),
            machine=machine_fingerprint(),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def check_agrees(self, path: Path, recorded: Manifest) -> None:
        """Refuse to continue a run under another description; arguments left out are not compared.

        Raises:
            RunError: A key differs from the recorded one; the message names it.
        """
        now = self.manifest(path)
        given = {
            "name": self.name,
            "players": self.players,
            "objective": self.objective,
            "data": self.data,
            "config": self.config,
            "seed": self.seed,
            "length": self.length,
            "training": self.training_entry,
        }
        for key, value in given.items():
            if value is None or value == {}:
                continue
            before, after = getattr(recorded, key), getattr(now, key)
            if key == "players":
                before, after = _without_buffers(before), _without_buffers(after)
            difference = _difference(before, after, key)
            if difference:
                raise RunError(
                    f"{path / 'run.json'}: {difference}; "
                    "continue with the recorded value, or record into another folder"
                )


def _without_buffers(players: Mapping[str, PlayerEntry]) -> dict[str, PlayerEntry]:
    """Players without their buffer names, which earlier versions did not record."""
    return {name: entry.model_copy(update={"buffers": ()}) for name, entry in players.items()}


def _player_entry(name: str, module: nn.Module) -> PlayerEntry:
    from torch.nn.parameter import is_lazy

    if not _PLAYER.fullmatch(name):
        raise OptionError(f"players: {name!r:.80}: expected letters, digits, _ . or - as a name")
    kind = type(module)
    parameters = sum(p.numel() for p in module.parameters() if not is_lazy(p))
    buffers = tuple(name for name, _ in module.named_buffers(remove_duplicate=False))
    class_name = f"{kind.__module__}.{kind.__qualname__}"
    if problem := bad_text({name: {"class": class_name, "buffers": buffers}}, values=False):
        raise OptionError(f"players: {problem}; rename it")
    return PlayerEntry(class_name=class_name, parameters=parameters, buffers=buffers)


def _whole(value: int | None, key: str, smallest: int | None) -> int | None:
    if value is None:
        return None
    if type(value) is not int or (smallest is not None and value < smallest):
        bound = f" of at least {smallest}" if smallest is not None else ""
        raise OptionError(f"{key}: expected a whole number{bound}, found {value!r}")
    return value


def _entry(entry: str | None) -> str | None:
    if entry is not None and not _ENTRY.fullmatch(entry):
        raise OptionError(
            "training_entry: expected 'source/train.py:build' (file and function), found "
            f"{entry!r:.200}"
        )
    return entry


def _difference(recorded: object, now: object, key: str) -> str | None:
    """Find the first key at which two plain values differ; the answer is a sentence's end."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name in [*recorded, *(name for name in now if name not in recorded)]:
            place = f"{key}.{name}"
            if name not in now:
                return f"key {place}: recorded as {recorded[name]!r}, missing now"
            if name not in recorded:
                return f"key {place}: not recorded, now {now[name]!r}"
            if difference := _difference(recorded[name], now[name], place):
                return difference
        return None
    if recorded != now or type(recorded) is not type(now):
        return f"key {key}: recorded as {recorded!r}, now {now!r}"
    return None
