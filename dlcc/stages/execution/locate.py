"""Location of deviations: from checks that do not agree to findings with a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.findings import Finding
from dlcc.records import ReplayCheck
from dlcc.stages.execution.compare import worst_by_name
from dlcc.stages.execution.replay_log import ReplayLog
from dlcc.stages.execution.replays import Replayer, Walk, runs_of
from dlcc.stages.recorded_state import RecordedState

_LASTING = 0.5  # share of the rows after the first deviation that deviate, too
_WATCHED_BYTES = 1 << 16


@dataclass(frozen=True)
class Locator:
    """Locator of deviations: the outcomes of all replays, and the means to look closer."""

    replayer: Replayer
    snapshots: Sequence[RecordedState]
    log: ReplayLog
    entry: str
    """Entry point, such as `source/train.py:build`."""
    config: dict[str, object]
    threads: int

    def findings(self) -> list[Finding]:
        """Make one finding for each thing that must have been changed, in the order of steps."""
        lasting = [c for c in self.log.checks if c.kind == "steps" and self._lasts(c)]
        decided = [c for c in self.log.checks if c.kind == "steps" and c.compared]
        if decided and len(lasting) == len(decided):
            return [self._other_code(lasting)]
        found: list[Finding] = []
        for stored in self.snapshots:
            found += self._at(stored)
        return _without_repeats(found)

    def _at(self, stored: RecordedState) -> list[Finding]:
        """Find what is wrong at one snapshot and in the steps that were replayed from it."""
        weights, probe, steps = (
            self.log.of(stored.step, "weights"),
            self.log.of(stored.step, "probe"),
            self.log.of(stored.step, "steps"),
        )
        not_reached = [
            check
            for check in self.log.deviating
            if check.kind == "state" and check.last_step == stored.step
        ]
        found: list[Finding] = []
        if _deviates(probe) or self._lasts(steps):
            found += self._state_or_record(stored, probe, steps)
        elif not_reached:
            found.append(self._changed(stored, not_reached[0].deviating))
        if _deviates(weights) and not any(f.place == stored.place for f in found):
            assert weights is not None
            found.append(_other_weights(stored, weights))
        if steps is not None and _deviates(steps) and not self._lasts(steps):
            found += [
                _other_value(steps, first, last) for first, last in runs_of(steps.deviating_steps)
            ]
        return found

    def _state_or_record(
        self, stored: RecordedState, probe: ReplayCheck | None, steps: ReplayCheck | None
    ) -> list[Finding]:
        """Decide whether the snapshot's state or its record was changed, by a replay up to it."""
        before = self._sound_before(stored)
        if before is None:
            return self._at_the_first(stored, probe, steps)
        self.replayer.load(before)
        self.replayer.walk(before.step, stored.step - before.step)
        check = self.replayer.state(before.step, stored)
        if check.agrees is False:
            moved = self._moved(stored, before)
            return [moved or self._changed(stored, check.deviating)]
        return self._record_of(stored, probe, steps)

    def _at_the_first(
        self, stored: RecordedState, probe: ReplayCheck | None, steps: ReplayCheck | None
    ) -> list[Finding]:
        """Decide what deviates at a snapshot without a sound one before it.

        The training as it is built stands for the state of step 0.
        """
        if not self._lasts(steps):
            return self._record_of(stored, probe, steps)
        if stored.step == 0:
            self.replayer.session.build(self.entry, self.config, self.threads)
            worst = worst_by_name(stored.weights, self.replayer.session.weights())
            wrong = tuple(name for name, value in worst.items() if value > 0)
            if 0 < len(wrong) < len(worst):
                return [self._changed(stored, wrong)]
        return [self._changed(stored, ())]

    def _record_of(
        self, stored: RecordedState, probe: ReplayCheck | None, steps: ReplayCheck | None
    ) -> list[Finding]:
        """Make the findings for a changed record of a state that the training does make."""
        found = []
        if probe is not None and _deviates(probe):
            found.append(
                Finding(
                    "EXE001",
                    f"{stored.place}/probe.safetensors: {_listed(probe.deviating)} "
                    f"{_differ(probe)} from what the training measures at this snapshot",
                    player=_player(probe.deviating),
                    first_step=stored.step,
                    last_step=stored.step,
                    place=f"{stored.place}/probe.safetensors",
                    evidence={"worst": _shown(probe.worst), "tolerance": probe.tolerance},
                )
            )
        if steps is not None and self._lasts(steps):
            first = steps.deviating_steps[0]
            found.append(self._other_code([steps], first, steps.last_step))
        return found

    def _sound_before(self, stored: RecordedState) -> RecordedState | None:
        """Find the nearest earlier snapshot at which everything agreed."""
        bad = {c.snapshot for c in self.log.deviating if c.kind != "state"}
        bad |= {c.last_step for c in self.log.deviating if c.kind == "state"}
        earlier = [s for s in self.snapshots if s.step < stored.step and s.step not in bad]
        return earlier[-1] if earlier else None

    def _moved(self, stored: RecordedState, before: RecordedState) -> Finding | None:
        """Make the finding for a snapshot with the state of another step between its neighbours.

        None where it holds the state of no such step.
        """
        for other in self.snapshots:
            if other.step != stored.step and _equal_weights(other, stored):
                return self._in_place_of(stored, other.step)
        watch = _to_watch(stored)
        if watch is None:
            return None
        after = [s.step for s in self.snapshots if s.step > stored.step]
        end = after[0] if after else before.step + self.replayer.rows.count_from(before.step)
        self.replayer.load(before)
        walk = self.replayer.walk(before.step, end - before.step, watch)
        for step in _steps_with(walk, stored.weights[watch[0]]):
            if step == stored.step:  # the weights are right, and something else is not
                return None
            self.replayer.load(before)
            self.replayer.walk(before.step, step - before.step)
            if self.replayer.weights(stored).agrees:
                return self._in_place_of(stored, step)
        return None

    def _in_place_of(self, stored: RecordedState, step: int) -> Finding:
        return Finding(
            "EXE004",
            f"{stored.place} holds the state before step {step:,}, not before {stored.step:,}",
            first_step=stored.step,
            last_step=stored.step,
            place=stored.place,
            evidence={"holds_step": step},
        )

    def _changed(self, stored: RecordedState, tensors: tuple[str, ...]) -> Finding:
        which = f"tensors {_listed(tensors)} differ" if tensors else "its state differs"
        return Finding(
            "EXE002",
            f"{stored.place}: {which} from what the training makes up to step {stored.step:,}",
            player=_player(tensors),
            first_step=stored.step,
            last_step=stored.step,
            place=stored.place,
            evidence={"tensors": ", ".join(tensors)} if tensors else {},
        )

    def _other_code(
        self, checks: Sequence[ReplayCheck], first: int | None = None, last: int | None = None
    ) -> Finding:
        names = tuple(sorted({name for check in checks for name in check.deviating}))
        where = (
            f"from every snapshot ({len(checks)})" if first is None else f"from step {first:,} on"
        )
        return Finding(
            "EXE005",
            f"replayed {where}, {self.entry} gives other values of {_listed(names)} "
            "than were recorded",
            player=_player(names),
            first_step=checks[0].first_step if first is None else first,
            last_step=last,
            place=self.entry.partition(":")[0],
            evidence={
                "quantities": ", ".join(names),
                "worst": _shown(max(c.worst for c in checks)),
            },
        )

    def _lasts(self, check: ReplayCheck | None) -> bool:
        """Whether the rows deviate from some step on, and not only here and there."""
        if check is None or check.agrees is not False or not check.deviating_steps:
            return False
        after = check.last_step - check.deviating_steps[0]
        return len(check.deviating_steps) - 1 > _LASTING * after if after else True


def deviating_somewhere(checks: Sequence[ReplayCheck], entry: str) -> list[Finding]:
    """Make findings for checks that do not agree where nobody could look closer.

    Checks that failed have a finding of their own.
    """
    named = tuple(dict.fromkeys(name for check in checks for name in check.deviating))
    if not named:
        return []
    first = next(check for check in checks if check.deviating)
    return [
        Finding(
            "EXE005",
            f"replayed from step {first.snapshot:,}, {entry} gives other values of "
            f"{_listed(named)} than were recorded; it ended before the place could be looked for",
            player=_player(named),
            first_step=first.first_step,
            place=entry.partition(":")[0],
            evidence={"quantities": ", ".join(named), "worst": _shown(first.worst)},
        )
    ]


def _deviates(check: ReplayCheck | None) -> bool:
    return check is not None and check.agrees is False and bool(check.deviating)


def _other_weights(stored: RecordedState, check: ReplayCheck) -> Finding:
    return Finding(
        "EXE002",
        f"{stored.place}/players.safetensors: tensors {_listed(check.deviating)} differ from the "
        "weights in the snapshot's own state",
        player=_player(check.deviating),
        first_step=stored.step,
        last_step=stored.step,
        place=f"{stored.place}/players.safetensors",
        evidence={"tensors": ", ".join(check.deviating), "worst": _shown(check.worst)},
    )


def _other_value(check: ReplayCheck, first: int, last: int) -> Finding:
    when = f"step {first:,}" if first == last else f"steps {first:,} to {last:,}"
    return Finding(
        "EXE001",
        f"{when}: the recorded {_listed(check.deviating)} {_differ(check)} from the replay by up "
        f"to {check.worst:.2g}, while the steps around agree",
        player=_player(check.deviating),
        first_step=first,
        last_step=last,
        place="series",
        evidence={
            "quantities": ", ".join(check.deviating),
            "worst": _shown(check.worst),
            "replayed_from": check.snapshot,
        },
    )


def _equal_weights(a: RecordedState, b: RecordedState) -> bool:
    return not any(worst_by_name(a.weights, b.weights).values())


def _to_watch(stored: RecordedState) -> tuple[str, int] | None:
    """Choose the largest weight that is cheap to look at after each step, with its bytes."""
    sizes = {
        name: array.nbytes
        for name, array in stored.weights.items()
        if array.dtype.kind == "f" and 0 < array.nbytes <= _WATCHED_BYTES
    }
    return max(sizes.items(), key=lambda item: item[1]) if sizes else None


def _steps_with(walk: Walk, weight: NDArray[np.float64]) -> list[int]:
    """Find the steps before which the watched weight was this one."""
    assert walk.watched is not None
    if walk.watched.shape[1:] != weight.shape:
        return []
    same = (walk.watched == weight).reshape(len(walk.watched), -1).all(axis=1)
    return [int(walk.first + i + 1) for i in np.flatnonzero(same)][:4]


def _without_repeats(findings: Sequence[Finding]) -> list[Finding]:
    seen = set()
    kept = []
    for finding in findings:
        key = (finding.code, finding.place, finding.first_step, finding.message)
        if key not in seen:
            seen.add(key)
            kept.append(finding)
    return kept


def _listed(names: Sequence[str], limit: int = 4) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _differ(check: ReplayCheck) -> str:
    return "differs" if len(check.deviating) == 1 else "differ"


def _player(names: Sequence[str]) -> str | None:
    """Find the player that all names belong to: `player/quantity` or `state/player/tensor`."""
    players = {
        name.removeprefix("state/").split("/")[0].removesuffix("_optimizer")
        for name in names
        if "/" in name
    }
    return players.pop() if len(players) == 1 else None


def _shown(value: float) -> float | None:
    """Number for JSON, which has no infinity: None in its place."""
    return value if np.isfinite(value) else None
