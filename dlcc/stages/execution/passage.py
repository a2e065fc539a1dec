"""One passage over the snapshots: which replays are made, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from dlcc.errors import ForeignCodeError, ForeignCodeStopped
from dlcc.records import ReplayCheck, ReplayKind
from dlcc.stages.execution.replays import OutOfTimeError, Replayer, Walk, failed, undecided
from dlcc.stages.execution.stored import Stored


@dataclass(frozen=True)
class Extent:
    """How much is replayed."""

    steps: int
    """From every snapshot."""
    stretch: int
    """From the middle one, and wherever something deviates."""
    full: bool
    """From every snapshot to the next."""


@dataclass
class Passage:
    """What came of it, in the order of the snapshots."""

    checks: list[ReplayCheck] = field(default_factory=list)
    failure: ForeignCodeError | None = None
    """The first error of the run's code."""
    cut: str | None = None
    """What a limit cut off."""

    def of(self, snapshot: int, kind: ReplayKind) -> ReplayCheck | None:
        """The check of this kind at this snapshot."""
        found = [c for c in self.checks if (c.snapshot, c.kind) == (snapshot, kind)]
        return found[0] if found else None

    @property
    def deviating(self) -> list[ReplayCheck]:
        """The checks that do not agree."""
        return [check for check in self.checks if check.agrees is False]


def replay_all(
    replayer: Replayer,
    snapshots: Sequence[Stored],
    extent: Extent,
    progress: Callable[[float, str], None],
) -> Passage:
    """Replay from every snapshot, ascending: no state is shown before it could be copied from.

    Every planned check appears in the result; those that a limit cut off are undecided.
    """
    passage = Passage()
    last = len(snapshots) - 1
    for i, (stored, following) in enumerate(pairwise([*snapshots, None])):
        assert stored is not None
        progress(i / len(snapshots), f"replays from step {stored.step:,}")
        count = _count(replayer, stored, following, extent, middle=i == last // 2)
        plan = _plan(replayer, stored, following, extent, count)
        for kind, end, work in plan:
            passage.checks.append(_attempt(passage, replayer, stored, kind, end, work))
    return passage


Work = Callable[[], ReplayCheck]


def _plan(
    replayer: Replayer, stored: Stored, following: Stored | None, extent: Extent, count: int
) -> list[tuple[ReplayKind, int, Work]]:
    """The checks at one snapshot: kind, last step, and what makes it."""
    step = stored.step

    def load_and_compare() -> ReplayCheck:
        replayer.load(stored)
        return replayer.weights(stored)

    plan: list[tuple[ReplayKind, int, Work]] = [("weights", step, load_and_compare)]
    if stored.probe:
        plan.append(("probe", step, lambda: replayer.probe(stored)))
    if count:
        plan.append(("steps", step + count - 1, lambda: _steps(replayer, stored, count, extent)))
    if extent.full and following and replayer.tolerance.exact and count == following.step - step:
        plan.append(("state", following.step, lambda: replayer.state(step, following)))
    return plan


def _count(
    replayer: Replayer, stored: Stored, following: Stored | None, extent: Extent, middle: bool
) -> int:
    """How many steps to replay from a snapshot."""
    there = replayer.rows.count_from(stored.step)
    wanted = extent.stretch if middle else extent.steps
    if extent.full:
        wanted = following.step - stored.step if following else there
        if not replayer.tolerance.exact:  # errors grow: only the first steps can be compared
            wanted = min(wanted, extent.stretch)
    return min(there, wanted)


def _steps(replayer: Replayer, stored: Stored, count: int, extent: Extent) -> ReplayCheck:
    """Replay; where something deviates, go on to see whether it stays that way."""
    walk = replayer.walk(stored.step, count)
    check = replayer.steps_check(stored.step, walk)
    enough = min(extent.stretch, replayer.rows.count_from(stored.step))
    if check.agrees is False and count < enough:
        further = replayer.walk(stored.step + count, enough - count)
        check = replayer.steps_check(stored.step, _joined(walk, further))
    return check


def _joined(first: Walk, second: Walk) -> Walk:
    import numpy as np

    return Walk(
        first.first,
        np.concatenate([first.deviation, second.deviation]),
        np.concatenate([first.compared, second.compared]),
        None,
    )


def _attempt(
    passage: Passage, replayer: Replayer, stored: Stored, kind: ReplayKind, end: int, work: Work
) -> ReplayCheck:
    """The check, or why it could not be made."""
    if passage.cut or not replayer.session.alive:
        return undecided(kind, stored.step, end, passage.cut or "the run's code had ended before")
    try:
        return work()
    except OutOfTimeError as error:
        passage.cut = str(error)
    except ForeignCodeStopped as error:
        passage.cut = str(error)
    except ForeignCodeError as error:
        passage.failure = passage.failure or error
        return failed(kind, stored.step, end, error)
    return undecided(kind, stored.step, end, passage.cut)
