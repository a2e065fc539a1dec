"""Interface that a training offers to be replayed, rerun and steered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dlcc.runs.run import Run
    from dlcc.runs.snapshots import SnapshotContent


@runtime_checkable
class Training(Protocol):
    """Training that can be taken up at any snapshot.

    Batches and noise are functions of (seed, step), so that step s draws the same numbers whether
    the training ran up to it or was restored there.
    """

    @property
    def players(self) -> Mapping[str, nn.Module]:
        """Networks by name."""
        ...

    def step(self, step: int) -> Mapping[str, float]:
        """Do step number `step` and return its quantities, named `player/quantity`."""
        ...

    def sample(self, n: int, seed: int) -> Tensor:
        """`n` samples of the model as it is, `[n, ...]`, the same for the same seed."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes from step to step: nested mappings, lists and tuples of tensors
        and plain values (weights, optimisers, schedules, averages, scaler)."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state_dict` returned."""
        ...


@runtime_checkable
class ProbedTraining(Training, Protocol):
    """Training whose snapshots also hold measurements, for replay to compare with."""

    def probe(self, step: int) -> Mapping[str, Tensor]:
        """The losses and per-sample outputs on the batch of (seed, step), state untouched."""
        ...


def resume(training: Training, run: Run | str | Path) -> int:
    """Restore a training from the newest resumable snapshot of a run.

    The global random states of torch, numpy and random are restored as well.

    Returns:
        The step to go on with: the snapshot's step, or 0 where no snapshot is resumable.

    Raises:
        RunError: there is no such run; as SnapshotError, its newest snapshot is damaged.
    """
    from dlcc.runs.random_state import restore_random_state
    from dlcc.runs.run import Run

    run = run if isinstance(run, Run) else Run.open(run)
    for snapshot in reversed(run.snapshots()):
        if snapshot.resumable:
            training.load_state_dict(snapshot.state())
            restore_random_state(snapshot.random_state())
            return snapshot.step
    return 0


def content_of(
    step: int, players: Mapping[str, nn.Module], training: Training | None
) -> SnapshotContent:
    """Collect the content of a snapshot; random numbers drawn for it change nothing."""
    from dlcc.runs.random_state import random_state, torch_random_state_kept
    from dlcc.runs.snapshots import SnapshotContent

    if training is None:
        return SnapshotContent(step, players)
    random = random_state()
    with torch_random_state_kept():
        state = training.state_dict()
        probe = training.probe(step) if isinstance(training, ProbedTraining) else {}
    return SnapshotContent(step, players, state, random, probe)
