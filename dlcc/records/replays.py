"""Replays of a run from its snapshots, as the execution stage compares them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ReplayKind = Literal["weights", "probe", "steps", "state"]


@dataclass(frozen=True)
class ReplayCheck:
    """Comparison with the record of one thing that was computed again from a snapshot.

    `weights`: the players' tensors against those that the training has after loading its state;
    `probe`: the losses and outputs on the snapshot's batch; `steps`: the logged quantities of the
    steps from the snapshot on; `state`: the next snapshot against the state that these steps reach.
    """

    kind: ReplayKind
    snapshot: int
    first_step: int
    last_step: int
    compared: int
    """Number of numbers compared."""
    worst: float
    """Largest deviation, relative to the larger of the recorded value's size and 1."""
    tolerance: float
    """Tolerance in the unit of `worst`; 0 asks for equality to the last bit."""
    agrees: bool | None
    """Whether record and replay agree; None where that could not be decided, see `reason`."""
    deviating: tuple[str, ...] = ()
    """Quantities or tensors that deviate by more than the tolerance."""
    deviating_steps: tuple[int, ...] = ()
    """Steps whose rows deviate, of a check of `steps`."""
    reason: str | None = None


@dataclass(frozen=True)
class Executed:
    """Results of running the run's code again."""

    replays: tuple[ReplayCheck, ...]
    extremes: Mapping[str, float]
    """Share of finite outputs under extreme and random inputs, by `player/input`."""
    exact: bool
    """Whether equality to the last bit was asked for: the same kind of machine and software."""
