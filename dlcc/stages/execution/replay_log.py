"""Log of replays, made in one passage over the snapshots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from dlcc.errors import ForeignCodeError, ForeignCodeStopped
from dlcc.records import ReplayCheck, ReplayKind
from dlcc.stages.execution.coverage import Coverage
from dlcc.stages.execution.replays import OutOfTimeError, Replayer, Walk, failed, undecided
from dlcc.stages.execution.rows import LoggedRows
from dlcc.stages.recorded_state import RecordedState
from dlcc.typing import Progress

ENDED = "the run's code had ended before"


@dataclass(frozen=True)
class Extent:
    """Extent of replays."""

    steps: int
    """Number of steps from every snapshot."""
    stretch: int
    """Number of steps from the middle snapshot, and wherever something deviates."""
    full: bool
    """Whether all steps are replayed, from every snapshot to the next."""


@dataclass(frozen=True)
class Planned:
    """Check that is to be made."""

    kind: ReplayKind
    stored: RecordedState
    last: int
    """Last step that is looked at."""
    following: RecordedState | None = None
    """Snapshot whose state is to be reached."""

    def undecided(self, reason: str) -> ReplayCheck:
        """Make the outcome of a check that could not be made, with the reason."""
        return undecided(self.kind, self.stored.step, self.last, reason)


@dataclass
class ReplayLog:
    """Outcomes of replays, in the order of the snapshots."""

    coverage: Coverage
    checks: list[ReplayCheck] = field(default_factory=list)
    failure: ForeignCodeError | None = None
    """First error of the run's code; None without any."""
    cut: str | None = None
    """Limit that ended the replays, in words; None where none did."""
    died: bool = False
    """Whether the process of the run's code ended before it was asked everything."""

    def of(self, snapshot: int, kind: ReplayKind) -> ReplayCheck | None:
        """Find the check of a kind at a snapshot; None where it was not made."""
        found = [c for c in self.checks if (c.snapshot, c.kind) == (snapshot, kind)]
        return found[0] if found else None

    @property
    def deviating(self) -> list[ReplayCheck]:
        """Checks that do not agree."""
        return [check for check in self.checks if check.agrees is False]


def plan(
    rows: LoggedRows, snapshots: Sequence[RecordedState], extent: Extent, exact: bool
) -> list[Planned]:
    """Plan the checks in ascending order of snapshots.

    So the code is shown no state before the replay that must reach it: it could copy from it.
    """
    middle = snapshots[(len(snapshots) - 1) // 2]
    return [
        planned
        for stored, following in pairwise([*snapshots, None])
        if stored is not None
        for planned in _at(rows, stored, following, extent, exact, stored is middle)
    ]


def _at(
    rows: LoggedRows,
    stored: RecordedState,
    following: RecordedState | None,
    extent: Extent,
    exact: bool,
    middle: bool,
) -> Iterator[Planned]:
    """Plan the checks at one snapshot."""
    step = stored.step
    yield Planned("weights", stored, step)
    if stored.probe:
        yield Planned("probe", stored, step)
    count = rows.count_from(step)
    if extent.full and exact:
        count = min(count, following.step - step if following else count)
    elif extent.full:  # errors grow: only the first steps can be compared
        count = min(count, extent.stretch, following.step - step if following else count)
    else:
        count = min(count, extent.stretch if middle else extent.steps)
    if count:
        yield Planned("steps", stored, step + count - 1)
    if extent.full and exact and following and count == following.step - step:
        yield Planned("state", stored, following.step, following)


def replay(
    replayer: Replayer, planned: Sequence[Planned], extent: Extent, progress: Progress
) -> ReplayLog:
    """Make planned checks in their order.

    Every one of them appears in the result; those that a limit cut off are undecided.
    """
    log = ReplayLog(Coverage(replayer.rows))
    for i, one in enumerate(planned):
        progress(i / len(planned), f"replays from step {one.stored.step:,}")
        log.checks.append(_attempt(log, replayer, one, extent))
    log.died = not replayer.session.alive
    return log


def merged(logs: Sequence[ReplayLog], rows: LoggedRows) -> ReplayLog:
    """Merge the logs of segments, in their order, to that of all."""
    log = ReplayLog(Coverage(rows))
    for one in logs:
        log.checks += one.checks
        log.failure = log.failure or one.failure
        log.cut = log.cut or one.cut
        log.coverage.asked += one.coverage.asked
        log.coverage.compared += one.coverage.compared
    return log


def _attempt(log: ReplayLog, replayer: Replayer, one: Planned, extent: Extent) -> ReplayCheck:
    """Make a check; an error of the run's code becomes its outcome."""
    if log.cut or not replayer.session.alive:
        return one.undecided(log.cut or ENDED)
    try:
        return _made(log.coverage, replayer, one, extent)
    except (OutOfTimeError, ForeignCodeStopped) as error:
        log.cut = str(error)
    except ForeignCodeError as error:
        log.failure = log.failure or error
        return failed(one.kind, one.stored.step, one.last, error)
    return one.undecided(log.cut)


def _made(coverage: Coverage, replayer: Replayer, one: Planned, extent: Extent) -> ReplayCheck:
    stored = one.stored
    if one.kind == "weights":
        replayer.load(stored)
        return replayer.weights(stored)
    if one.kind == "probe":
        return replayer.probe(stored)
    if one.kind == "steps":
        return _steps(coverage, replayer, stored, one.last + 1 - stored.step, extent)
    assert one.following is not None
    return replayer.state(stored.step, one.following)


def _steps(
    coverage: Coverage, replayer: Replayer, stored: RecordedState, count: int, extent: Extent
) -> ReplayCheck:
    """Replay steps; where something deviates, go on to see whether it stays that way."""
    walk = replayer.walk(stored.step, count)
    check = replayer.steps_check(stored.step, walk)
    enough = min(extent.stretch, replayer.rows.count_from(stored.step))
    if check.agrees is False and count < enough:
        further = replayer.walk(stored.step + count, enough - count)
        walk = _joined(walk, further)
        check = replayer.steps_check(stored.step, walk)
    coverage.add(walk, decided=check.agrees is not None)
    return check


def _joined(first: Walk, second: Walk) -> Walk:
    return Walk(
        first.first,
        np.concatenate([first.deviation, second.deviation]),
        np.concatenate([first.asked, second.asked]),
        np.concatenate([first.compared, second.compared]),
        None,
    )
