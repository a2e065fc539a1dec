"""Replays: the training run again from its snapshots and compared with the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import ForeignCodeError
from dlcc.records import ReplayCheck, ReplayKind
from dlcc.sandbox import Session
from dlcc.stages.execution.compare import Tensors, deviations, worst_by_name
from dlcc.stages.execution.rows import UPDATE_NORM, UPDATES, LoggedRows
from dlcc.stages.execution.tolerance import Tolerance, measured, perturbed
from dlcc.stages.recorded_state import RecordedState

_CHUNK = 64  # steps between two looks at the clock
_NAMED = 12  # tensors that a check names at most
NOTHING_GIVEN = "the training returns none of the quantities that were logged at these steps"


class OutOfTimeError(Exception):
    """Error for a stage whose time is nearly up: what was compared so far counts."""


@dataclass(frozen=True)
class Walk:
    """Steps that were run again from a snapshot."""

    first: int
    deviation: NDArray[np.float64]
    """Deviations [n, k]; 0 where a quantity is missing on either side."""
    asked: NDArray[np.bool_]
    """Marks [n, k] of numbers that were recorded and can be computed within the walk."""
    compared: NDArray[np.bool_]
    """Marks [n, k] of numbers that the training gave."""
    watched: NDArray[Any] | None
    """Watched weight [n, ...] after each step."""


@dataclass(frozen=True)
class Replayer:
    """Replayer: a session, the record, and the tolerance between them."""

    session: Session
    rows: LoggedRows
    tolerance: Tolerance
    check_time: Callable[[], None]
    """Function that raises OutOfTimeError when the time is nearly up."""

    def load(self, stored: RecordedState) -> None:
        """Go to a snapshot's state."""
        self.check_time()
        self.session.load(stored.tree, stored.data)

    def weights(self, stored: RecordedState) -> ReplayCheck:
        """Compare the players' tensors with those of the training, whose state was loaded."""
        worst = worst_by_name(stored.weights, self.session.weights(_room(stored.weights)))
        return self.tensors_check("weights", stored.step, stored.step, stored.weights, worst)

    def probe(self, stored: RecordedState) -> ReplayCheck:
        """Compare the recorded probe with that of the training, whose state was loaded."""
        replayed = self.session.probe(stored.step, _room(stored.probe))
        worst = worst_by_name(stored.probe, replayed)
        return self.tensors_check("probe", stored.step, stored.step, stored.probe, worst)

    def walk(self, first: int, count: int, watch: tuple[str, int] | None = None) -> Walk:
        """Run `count` steps, the first of which is `first`, from the training's present state."""
        window, are_tracked = self.rows.window(first, count), self.rows.are_tracked
        deviation, compared = np.zeros(window.values.shape), np.zeros_like(window.present)
        ends, norm_ends = (window.ends(self.rows.end_in(e)) for e in (UPDATES, UPDATE_NORM))
        watched = []
        for start in range(0, count, _CHUNK):
            self.check_time()
            part = slice(start, min(start + _CHUNK, count))
            at, n = first + start, part.stop - start
            counted, measured = (
                [end for end in of if at <= end < at + n] for of in (ends, norm_ends)
            )
            stepped = self.session.step(at, n, self.rows.names, watch, counted, measured)
            tracked = stepped.tracked & are_tracked
            recorded = np.where(tracked, window.changes[part], window.values[part])
            compared[part] = window.present[part] & stepped.present
            compared[part] |= window.countable[part] & tracked
            apart = deviations(recorded, stepped.values)
            deviation[part] = np.where(compared[part], apart, 0.0)
            if stepped.watched is not None:
                watched.append(stepped.watched)
        asked = np.where(are_tracked, window.countable, window.present) | compared
        together = np.concatenate(watched) if watched else None
        return Walk(first, deviation, asked, compared, together)

    def steps_check(self, snapshot: int, walk: Walk) -> ReplayCheck:
        """Make the check of the rows from a walk that began at a snapshot."""
        allowed = self.tolerance.allowed["steps"]
        wrong = walk.deviation > allowed
        compared = int(walk.compared.sum())
        reason = None
        if compared == 0:
            reason = NOTHING_GIVEN
        return self._check(
            "steps",
            snapshot,
            (walk.first, walk.first + len(wrong) - 1),
            compared,
            float(walk.deviation.max(initial=0.0)),
            tuple(np.array(self.rows.names)[wrong.any(axis=0)].tolist()),
            tuple((walk.first + np.flatnonzero(wrong.any(axis=1))).tolist()),
            reason,
        )

    def state(self, snapshot: int, target: RecordedState) -> ReplayCheck:
        """Compare a later snapshot with the state that the training has reached."""
        tree, replayed = self.session.state(_room(target.state))
        worst = worst_by_name(target.state, replayed)
        if tree != target.tree["state"]:
            worst["plain values"] = np.inf
        return self.tensors_check("state", snapshot, target.step, target.state, worst)

    def tensors_check(
        self,
        kind: ReplayKind,
        snapshot: int,
        last: int,
        recorded: Tensors,
        worst: Mapping[str, float],
    ) -> ReplayCheck:
        """Make a check of named tensors from the largest deviation of each."""
        allowed = self.tolerance.allowed[kind]
        wrong = [name for name, value in worst.items() if value > allowed]
        compared = sum(int(array.size) for array in recorded.values())
        largest = max(worst.values(), default=0.0)
        span = (snapshot, last)
        return self._check(kind, snapshot, span, compared, largest, tuple(wrong[:_NAMED]))

    def _check(
        self,
        kind: ReplayKind,
        snapshot: int,
        span: tuple[int, int],
        compared: int,
        worst: float,
        deviating: tuple[str, ...],
        deviating_steps: tuple[int, ...] = (),
        reason: str | None = None,
    ) -> ReplayCheck:
        agrees: bool | None = not deviating
        if not self.tolerance.decides(kind):
            reason = "the training is chaotic: the last bit of its weights moves it too far"
        if reason:
            agrees = None
        allowed = self.tolerance.allowed[kind]
        return ReplayCheck(
            kind,
            snapshot,
            *span,
            compared,
            worst,
            allowed,
            agrees,
            deviating,
            deviating_steps,
            reason,
        )


def _room(recorded: Tensors) -> int:
    """Number of bytes that an answer may have.

    Tensors of another shape are still compared, and none can fill the memory that the stage has,
    which would end it without a finding.
    """
    return 4 * sum(array.nbytes for array in recorded.values())


def undecided(kind: ReplayKind, snapshot: int, last: int, reason: str) -> ReplayCheck:
    """Make the outcome of a check that could not be made."""
    return ReplayCheck(kind, snapshot, snapshot, last, 0, 0.0, 0.0, None, reason=reason)


def failed(kind: ReplayKind, snapshot: int, last: int, error: ForeignCodeError) -> ReplayCheck:
    """Make the outcome of a check at which the code failed."""
    return ReplayCheck(kind, snapshot, snapshot, last, 0, 0.0, 0.0, False, reason=str(error))


def measure_tolerance(
    replayer: Replayer, stored: RecordedState, count: int, rng: np.random.Generator, trials: int = 3
) -> Tolerance:
    """Measure a tolerance: perturb a snapshot in its last bits and replay probe and steps."""

    def outcome(data: bytes) -> tuple[Tensors, NDArray[np.float64]]:
        replayer.check_time()
        replayer.session.load(stored.tree, data)
        probe = replayer.session.probe(stored.step) if stored.probe else {}
        return probe, replayer.session.step(stored.step, count, replayer.rows.names).values

    probe, values = outcome(stored.data)
    worst_probe = worst_steps = 0.0
    for _ in range(trials):
        other_probe, other_values = outcome(perturbed(stored.data, rng))
        worst_probe = max(worst_probe, *worst_by_name(probe, other_probe).values(), 0.0)
        worst_steps = max(worst_steps, float(deviations(values, other_values).max(initial=0.0)))
    return measured(worst_probe, worst_steps)


def runs_of(steps: Sequence[int]) -> list[tuple[int, int]]:
    """Group ascending steps to unbroken stretches (first, last)."""
    stretches: list[tuple[int, int]] = []
    for step in steps:
        if stretches and step == stretches[-1][1] + 1:
            stretches[-1] = (stretches[-1][0], step)
        else:
            stretches.append((step, step))
    return stretches
