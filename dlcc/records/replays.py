"""Replays of a run from its snapshots, as the execution stage compares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ReplayKind = Literal["weights", "probe", "steps", "state"]


@dataclass(frozen=True)
class ReplayCheck:
    """One thing that was computed again from a snapshot and compared with the record.

    `weights`: the players' tensors against those that the training has after loading its state;
    `probe`: the losses and outputs on the snapshot's batch; `steps`: the logged quantities of the
    steps from the snapshot on; `state`: the next snapshot against the state that these steps reach.
    """

    kind: ReplayKind
    snapshot: int
    first_step: int
    last_step: int
    compared: int
    """Numbers compared."""
    worst: float
    """Largest deviation, relative to the larger of the recorded value's size and 1."""
    tolerance: float
    """0: equal to the last bit."""
    agrees: bool | None
    """None where it could not be decided; see `reason`."""
    deviating: tuple[str, ...] = ()
    """The quantities or tensors that deviate by more than the tolerance."""
    deviating_steps: tuple[int, ...] = ()
    """Of `steps`: the steps whose rows do."""
    reason: str | None = None


@dataclass(frozen=True)
class Executed:
    """What the code did when it ran again."""

    replays: tuple[ReplayCheck, ...]
    extremes: Mapping[str, float]
    """`player/input` -> share of finite outputs under extreme and random inputs."""
    exact: bool
    """Whether equality to the last bit was asked for: the same kind of machine and software."""
