"""Snapshots: the state of a training at one step, a folder that is there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from dlcc.errors import OptionError, SnapshotError
from dlcc.runs.digests import Digests
from dlcc.runs.files import cannot_write, sync
from dlcc.runs.layout import SnapshotLayout, beside
from dlcc.runs.snapshot_documents import read_document
from dlcc.runs.snapshot_landscape import SnapshotLandscape, read_landscape
from dlcc.runs.state import pack_state, unpack_state
from dlcc.runs.tensors import (
    Digest,
    read_tensors,
    read_torch_tensors,
    write_tensors,
)
from dlcc.runs.texts import bad_text

if TYPE_CHECKING:
    from torch import Tensor, nn

T = TypeVar("T")

SCHEMA = 1
_MAX_BYTES = 64 * 2**20
_TREES = ("state", "random")  # keys of snapshot.json whose texts only the training sees


class FileEntry(BaseModel):
    """Size and checksum of a tensor file of the snapshot."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(ge=0, strict=True)
    xxh3_128: str

    def digest(self) -> Digest:
        """Size and checksum, as readers of tensors take them."""
        return Digest(self.bytes, self.xxh3_128)


class SnapshotManifest(BaseModel):
    """Content of snapshot.json."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_version: int = Field(
        default=SCHEMA, validation_alias="schema", serialization_alias="schema", ge=1, strict=True
    )
    step: int = Field(ge=0, strict=True)
    """Step of the snapshot; the state is the one before this step."""
    created: str
    players: dict[str, list[str]]
    """Names of each player's tensors, without the player's name before them."""
    resumable: bool
    """Whether `state` is there, so that a training can go on from here."""
    state: Any = None
    """Tree of `Training.state_dict()`, see `dlcc.runs.state`."""
    random: Any = None
    """Tree of the global random states."""
    files: dict[str, FileEntry]
    """Size and checksum of each tensor file."""


@dataclass(frozen=True)
class Snapshot:
    """Handle of a snapshot: nothing is read before it is asked for.

    All readers raise SnapshotError where a file is missing, damaged or not what it claims.

    >>> from dlcc.runs import Run
    >>> snapshot = Run.open("runs/digits-collapsed").snapshots()[1]
    >>> snapshot.step, snapshot.players, snapshot.resumable
    (320, ('generator', 'discriminator'), True)
    >>> snapshot.weights("generator")["0.weight"].shape
    (32, 4)
    >>> snapshot.probe()["discriminator/real"].shape  # outputs on the batch of step 320
    (32,)
    >>> [path.name for path in snapshot.files()][:2]
    ['landscape.json', 'players.safetensors']
    >>> snapshot.landscape().since  # step of the snapshot from which its path comes
    0
    >>> sorted(snapshot.torch_weights("generator"))[:2]
    ['0.bias', '0.weight']
    >>> sorted(snapshot.state())[:2], sorted(snapshot.random_state())
    (['discriminator', 'discriminator_optimizer'], ['numpy', 'python', 'torch'])
    """

    path: Path
    step: int
    """Step of the snapshot; the state is the one before this step."""
    digests: Digests | None = field(default=None, repr=False, compare=False)
    """Digests of the run, which its snapshot.json and landscape.json are compared with."""

    @cached_property
    def manifest(self) -> SnapshotManifest:
        """Content of snapshot.json."""
        self._check(self._layout.manifest)
        return read_snapshot_manifest(self._layout.manifest, self.step)

    def files(self) -> list[Path]:
        """List the files of the snapshot.

        Returns:
            Paths of all its files, sorted.

        Raises:
            SnapshotError: There is no such folder, or it is a link.
        """
        if self.path.is_symlink() or not self.path.is_dir():
            raise SnapshotError(
                f"{self.path}: not a folder of a snapshot; remove it or restore the copy"
            )
        return sorted(self.path.iterdir())

    @property
    def players(self) -> tuple[str, ...]:
        """Players whose weights are held."""
        return tuple(self.manifest.players)

    @property
    def resumable(self) -> bool:
        """Whether a training can go on from here."""
        return self.manifest.resumable

    def weights(self, player: str | None = None) -> dict[str, np.ndarray]:
        """Read parameters and buffers, without importing torch.

        Args:
            player: Player to read; None for all players.

        Returns:
            Arrays [...], each in its parameter's or buffer's shape, by the names of the player's
            module, such as `0.weight`; of all players by `player/name`. bfloat16 comes as float32
            of the same values.

        Raises:
            SnapshotError: The snapshot has no such player, or is damaged.
        """
        arrays = read_tensors(self._layout.players, digest=self._digest(self._layout.players))
        if player is None:
            return arrays
        return self._of_player(player, arrays)

    def torch_weights(self, player: str) -> dict[str, Tensor]:
        """Read the weights of a player for `load_state_dict` of its module, bit for bit.

        Args:
            player: Player to read.

        Returns:
            CPU tensors [...], each in its parameter's or buffer's shape, by the names of the
            player's module.

        Raises:
            SnapshotError: The snapshot has no such player, or is damaged.
        """
        path = self._layout.players
        return self._of_player(player, read_torch_tensors(path, digest=self._digest(path)))

    def state(self) -> dict[str, Any]:
        """Read the state for `Training.load_state_dict`.

        Returns:
            State as `Training.state_dict` gave it, with CPU tensors.

        Raises:
            SnapshotError: The snapshot holds weights alone, or is damaged.
        """
        if not self.resumable:
            raise SnapshotError(
                f"{self.path}: holds weights alone, so no training can go on from it; "
                "record with Recorder(..., training=...)"
            )
        state: dict[str, Any] = self._unpacked["state"]
        return state

    def random_state(self) -> dict[str, Any]:
        """Read the global random states for `restore_random_state`.

        Returns:
            States of torch, numpy and random; empty where they were not recorded.

        Raises:
            SnapshotError: The snapshot is damaged.
        """
        return self._unpacked["random"] or {} if self.resumable else {}

    def probe(self) -> dict[str, np.ndarray]:
        """Read the measurements on the batch of the snapshot's step.

        Returns:
            Losses, 0-d, and outputs `[batch]`, by `player/quantity`; empty where there are none.

        Raises:
            SnapshotError: The snapshot is damaged.
        """
        path = self._layout.probe
        if path.name not in self.manifest.files:
            return {}
        return read_tensors(path, digest=self._digest(path))

    def landscape(self) -> SnapshotLandscape | None:
        """Read the measures of the landscape in this state.

        Returns:
            Measures; None where nothing was measured.

        Raises:
            SnapshotError: The file is damaged.
        """
        path = self._layout.landscape
        self._check(path)
        return read_landscape(path, self.step) if path.exists() else None

    def _check(self, path: Path) -> None:
        if self.digests is not None:
            self.digests.check(path, SnapshotError)

    @property
    def _layout(self) -> SnapshotLayout:
        return SnapshotLayout(self.path)

    @property
    def _unpacked(self) -> dict[str, Any]:
        """State and random state; read anew each time, for both are large and taken over."""
        path = self._layout.state
        tensors = read_torch_tensors(path, digest=self._digest(path))
        tree = {"state": self.manifest.state, "random": self.manifest.random}
        try:
            unpacked: dict[str, Any] = unpack_state(tree, tensors)
        except SnapshotError as error:
            raise SnapshotError(f"{self._layout.manifest}: {error}") from None
        return unpacked

    def _digest(self, path: Path) -> Digest:
        entry = self.manifest.files.get(path.name)
        if entry is None:
            raise SnapshotError(
                f"{self._layout.manifest}: key files: lists no {path.name}; the snapshot is "
                "damaged, remove its folder"
            )
        return entry.digest()

    def _of_player(self, player: str, tensors: Mapping[str, T]) -> dict[str, T]:
        if player not in self.manifest.players:
            raise SnapshotError(
                f"{self.path}: no player {player!r}, found {', '.join(self.players) or 'none'}"
            )
        try:
            return {name: tensors[f"{player}/{name}"] for name in self.manifest.players[player]}
        except KeyError as error:
            raise SnapshotError(
                f"{self._layout.manifest}: key players: lists {error}, which is not in "
                f"{self._layout.players.name}; the snapshot is damaged, remove its folder"
            ) from None


@dataclass(frozen=True)
class SnapshotContent:
    """State to write into a snapshot."""

    step: int
    players: Mapping[str, nn.Module]
    state: Mapping[str, Any] | None = None
    """State of the training, from `state_dict()`; without it the snapshot is not resumable."""
    random: Mapping[str, Any] | None = None
    probe: Mapping[str, Tensor] = field(default_factory=dict)


def write_snapshot(path: Path, content: SnapshotContent) -> None:
    """Write a snapshot folder: beside, synced, renamed. `path` must not exist.

    Raises:
        OptionError: The state holds something that is neither a tensor nor a plain value, or a
            tensor has a name that no reader would take.
        RunError: The system refused a write.
    """
    temporary = beside(path)
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        _write_files(SnapshotLayout(temporary), content)
        sync(temporary)
        os.rename(temporary, path)
        sync(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_files(layout: SnapshotLayout, content: SnapshotContent) -> None:
    weights = {
        player: {
            name: tensor
            for name, tensor in module.state_dict().items()
            if hasattr(tensor, "detach")  # get_extra_state may give anything
        }
        for player, module in content.players.items()
    }
    if problem := bad_text(
        {player: list(tensors) for player, tensors in weights.items()}, values=False
    ):
        raise OptionError(f"{layout.players}: {problem}; rename the parameter or buffer")
    named: dict[Path, Mapping[str, Tensor]] = {
        layout.players: {
            f"{player}/{name}": tensor
            for player, tensors in weights.items()
            for name, tensor in tensors.items()
        }
    }
    trees: dict[str, Any] = {}
    if content.state is not None:
        trees, named[layout.state] = pack_state(
            {"state": dict(content.state), "random": dict(content.random or {})}
        )
    if content.probe:
        named[layout.probe] = content.probe
    digests = {path.name: write_tensors(path, tensors) for path, tensors in named.items()}
    manifest = SnapshotManifest(
        step=content.step,
        created=datetime.now(UTC).isoformat(timespec="milliseconds"),
        players={player: list(tensors) for player, tensors in weights.items()},
        resumable=content.state is not None,
        state=trees.get("state"),
        random=trees.get("random"),
        files={
            name: FileEntry(bytes=digest.bytes, xxh3_128=digest.xxh3_128)
            for name, digest in digests.items()
        },
    )
    text = json.dumps(manifest.model_dump(by_alias=True), allow_nan=False, ensure_ascii=False)
    layout.manifest.write_text(text + "\n", encoding="utf-8")
    sync(layout.manifest)


def read_snapshot_manifest(path: Path, step: int) -> SnapshotManifest:
    """Read snapshot.json of the folder for `step`.

    Raises:
        SnapshotError: The file is missing, cut, of a later version, of another step, or has wrong
            values.
    """
    return read_document(
        path,
        step,
        SnapshotManifest.model_validate,
        schema=SCHEMA,
        max_bytes=_MAX_BYTES,
        remedy="restore it from a copy",
        unchecked=_TREES,
    )
