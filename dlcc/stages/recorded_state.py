"""State that a run recorded, and its training's entry point: what replays begin with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from dlcc.errors import SnapshotError
from dlcc.records import Config, Sources
from dlcc.runs import Snapshot
from dlcc.runs.files import read_regular
from dlcc.runs.layout import SnapshotLayout
from dlcc.runs.tensors import DEFAULT_MAX_BYTES, parse_tensors, read_tensors
from dlcc.stage import NotApplicable

Tensors = Mapping[str, NDArray[Any]]

RECORD_IT = (
    "record with Recorder(..., build=build), whose build(config) returns "
    "dlcc.Training.from_step(...) or another Training"
)
"""Advice to whoever has a run that cannot be replayed."""


@dataclass(frozen=True)
class RecordedState:
    """Resumable snapshot, read whole and compared with its checksums."""

    step: int
    place: str
    """Place in the run, such as `snapshots/00001200`."""
    tree: Any
    """Tree `{"state": ..., "random": ...}`, as `dlcc.runs.state` packs it."""
    data: bytes
    """Content of state.safetensors."""
    weights: Tensors
    """Tensors of players.safetensors."""
    probe: Tensors

    @cached_property
    def state(self) -> Tensors:
        """Tensors of the training's state, `state/...`, without the random states."""
        tensors = parse_tensors(self.data, f"{self.place}/state.safetensors")
        return {name: array for name, array in tensors.items() if name.startswith("state/")}


def read_recorded_state(snapshot: Snapshot) -> RecordedState:
    """Read a resumable snapshot.

    Raises:
        SnapshotError: A file is missing, damaged or not what it claims.
    """
    layout = SnapshotLayout(snapshot.path)
    manifest = snapshot.manifest
    entry = manifest.files.get(layout.state.name)
    if entry is None:
        raise SnapshotError(f"{layout.manifest}: lists no {layout.state.name}")
    read_tensors(layout.state, digest=entry.digest())
    return RecordedState(
        step=snapshot.step,
        place=f"{snapshot.path.parent.name}/{snapshot.path.name}",
        tree={"state": manifest.state, "random": manifest.random},
        data=read_regular(layout.state, DEFAULT_MAX_BYTES, SnapshotError),
        weights=snapshot.weights(),
        probe=snapshot.probe(),
    )


def entry_of(config: Config, sources: Sources) -> str:
    """Entry point that builds a run's training, such as `source/train.py:build`.

    Raises:
        NotApplicable: It does not lie in the run.
    """
    if config.training is None:
        raise NotApplicable(f"run.json does not say how to build the training again; {RECORD_IT}")
    file, _, function = config.training.partition(":")
    if not file.startswith("source/") or not function:
        raise NotApplicable(
            f"run.json builds the training by {config.training!r}, which is not in the run's "
            f"source/; {RECORD_IT}"
        )
    if file not in sources.files:
        raise NotApplicable(f"run.json builds the training by {file}, which the run does not hold")
    return config.training
