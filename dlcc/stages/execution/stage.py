"""Execution stage: the run's own code, run again from its snapshots."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from dlcc.engine.engines import processors
from dlcc.errors import (
    ForeignCodeError,
    ForeignCodeStopped,
    ForeignDataError,
    IsolationError,
    OptionError,
    SnapshotError,
)
from dlcc.estimate import Estimate
from dlcc.findings import Finding
from dlcc.records import Config, Executed, ReplayCheck, Samples, Series, Snapshots, Sources
from dlcc.sandbox import Bounds, Level, Session, best_level
from dlcc.stage import Case, Context, NotApplicable, Stage, StageResult
from dlcc.stages.execution.controls import possible_controls
from dlcc.stages.execution.coverage import Coverage
from dlcc.stages.execution.extreme_findings import extreme_findings
from dlcc.stages.execution.extremes import PlayerExtremes, try_players
from dlcc.stages.execution.inventory import Recorded, inventory
from dlcc.stages.execution.locate import Locator, deviating_somewhere
from dlcc.stages.execution.measures import possible_measures
from dlcc.stages.execution.replay_log import ENDED, Extent, Planned, ReplayLog, plan, replay
from dlcc.stages.execution.replays import (
    NOTHING_GIVEN,
    OutOfTimeError,
    Replayer,
    measure_tolerance,
    undecided,
)
from dlcc.stages.execution.rows import LoggedRows
from dlcc.stages.execution.segments import replay_segments, segments_of
from dlcc.stages.execution.sensitivity import Moved, measure_sensitivity, summary
from dlcc.stages.execution.tolerance import EXACT, SMALLEST, same_machine
from dlcc.stages.recorded_state import RECORD_IT, RecordedState, entry_of, read_recorded_state
from dlcc.typing import Progress

_RESERVE = 0.1  # share of the time that is kept for writing the result
_EXTREMES = 30.0  # seconds that the players may take on extreme inputs
_SENSITIVITY = 15.0  # seconds that replays under other conditions may take
_TIMED_STEPS = 8
_SECONDS_WORTH = 20.0  # of replayed steps that another sandbox is worth
_LEAST_MEMORY = 1 << 30  # of a sandbox: importing torch takes most of that
_SLIGHT = 1e-3  # deviations that another kernel of the same operations could explain


@dataclass(frozen=True)
class Execution(Stage):
    """Whether the run's code, run again from its snapshots, gives what was recorded."""

    name: ClassVar = "execution"
    version: ClassVar = 2
    needs: ClassVar = (Config, Series, Snapshots, Sources)
    wants: ClassVar = (Samples,)
    gives: ClassVar = (Executed,)

    steps: int = 2
    """Number of steps replayed from every snapshot; an update shows in the row after it."""
    stretch: int = 20
    """Number of steps replayed from the middle snapshot, and wherever something deviates."""
    full: bool = False
    """Whether all steps are replayed, from each snapshot to the next."""
    workers: int = 0
    """Number of sandboxes in which the whole record is replayed side by side, at most one for each
    GiB of `memory`; 0 for one a core."""
    sensitivity: bool = True
    """Whether a few steps are replayed with other seeds, threads and precisions."""
    extremes: bool = True
    """Whether the players of the last snapshot are run on extreme and random inputs."""
    memory: int = 2 << 30
    """Memory that the run's code may use, in bytes."""
    data: str = ""
    """Path of a file or folder that the run's code may read beside its own; its contents can come
    out."""

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise OptionError(f"execution.workers {self.workers}: expected 0 or a positive number")
        if not self.data:
            return
        path = os.path.abspath(os.path.expanduser(self.data))
        if not os.path.exists(path):
            raise OptionError(f"execution.data {self.data}: there is no such file or folder")
        object.__setattr__(self, "data", path)  # a worker has another working folder

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        config, sources = case[Config], case[Sources]
        entry = entry_of(config, sources)
        snapshots, unreadable = _resumable(case[Snapshots])
        try:
            level = best_level(ctx.trust)
        except IsolationError as error:
            raise NotApplicable(str(error)) from None
        seconds = ctx.deadline.remaining * (1 - _RESERVE)
        clock = _clock(ctx, ctx.deadline.remaining)
        work = _Work(self, case, ctx, entry, snapshots, unreadable, clock)
        session = _session(self, sources, level, seconds, self.memory)
        try:
            with session:
                work.do(session)
        except ForeignCodeStopped as error:
            work.log.cut = str(error)
        except ForeignCodeError as error:
            work.log.failure = work.log.failure or error
        return work.result(level, session)

    @property
    def side_by_side(self) -> int:
        """Number of sandboxes in which a whole record is replayed."""
        fitting = max(1, self.memory // _LEAST_MEMORY)
        return min(self.workers or processors(), fitting)


@dataclass
class _Work:
    """Evaluation as far as it got."""

    stage: Execution
    case: Case
    ctx: Context
    entry: str
    snapshots: list[RecordedState]
    unreadable: list[ReplayCheck]
    check_time: Callable[[], None]

    def __post_init__(self) -> None:
        self.built = False
        self.rows = LoggedRows.of(self.case[Series])
        self.log = ReplayLog(Coverage(self.rows))
        self.located: list[Finding] = []
        self.extremes: list[PlayerExtremes] = []
        self.moved: list[Moved] = []
        self.tolerance = EXACT

    @property
    def threads(self) -> int:
        threads = self.case[Config].machine.get("threads")
        return threads if isinstance(threads, int) and 1 <= threads <= 1024 else 1

    @property
    def extent(self) -> Extent:
        return Extent(self.stage.steps, self.stage.stretch, self.stage.full)

    def do(self, session: Session) -> None:
        """Build, replay, locate what deviates, and try the players."""
        config = self.case[Config]
        session.build(self.entry, config.config, self.threads)
        self.built = True
        replayer = Replayer(session, self.rows, EXACT, self.check_time)
        if not same_machine(config):
            replayer = self._with_measured_tolerance(replayer)
        self._replay(replayer)
        if self.tolerance.exact and _differs_slightly_everywhere(self.log):
            replayer = self._with_measured_tolerance(replayer)
            self._replay(replayer)
        locator = Locator(
            replayer, self.snapshots, self.log, self.entry, dict(config.config), self.threads
        )
        try:
            if session.alive and not self.log.cut:
                self.located = locator.findings()
            if self.stage.sensitivity and session.alive and not self.log.cut:
                self._measure_sensitivity(session)
            if self.stage.extremes and session.alive and not self.log.cut:
                self._try_players(session)
        except OutOfTimeError as error:
            self.log.cut = str(error)

    def _with_measured_tolerance(self, replayer: Replayer) -> Replayer:
        middle = self.snapshots[(len(self.snapshots) - 1) // 2]
        count = min(self.stage.stretch, replayer.rows.count_from(middle.step))
        self.tolerance = measure_tolerance(replayer, middle, count, self.ctx.rng)
        return Replayer(replayer.session, replayer.rows, self.tolerance, self.check_time)

    def _replay(self, replayer: Replayer) -> None:
        def progress(share: float, what: str) -> None:
            self.ctx.progress(0.8 * share, what)

        planned = plan(self.rows, self.snapshots, self.extent, replayer.tolerance.exact)
        segments = segments_of(planned, self._worthwhile(replayer, planned))
        in_a_sandbox = partial(self._replay_segment, replayer, segments)
        if len(segments) > 1:
            self.log = replay_segments(segments, self.rows, in_a_sandbox, progress)
        else:
            self.log = replay(replayer, planned, self.extent, progress)

    def _worthwhile(self, replayer: Replayer, planned: Sequence[Planned]) -> int:
        """Number of sandboxes to replay in: another one costs seconds before it does a step."""
        most = self.stage.side_by_side if self.stage.full else 1
        if most == 1 or self.stage.workers:
            return most
        steps = sum(1 + one.last - one.stored.step for one in planned if one.kind == "steps")
        first = self.snapshots[0]
        count = min(_TIMED_STEPS, self.rows.count_from(first.step))
        with contextlib.suppress(ForeignCodeError):  # replays that fail are told by themselves
            replayer.load(first)
            began = time.monotonic()
            replayer.session.step(first.step, count, [])
            each = (time.monotonic() - began) / max(1, count)
            return min(most, 1 + int(each * steps / _SECONDS_WORTH))
        return 1

    def _replay_segment(
        self,
        replayer: Replayer,
        segments: Sequence[Sequence[Planned]],
        planned: Sequence[Planned],
        progress: Progress,
        alone: bool,
    ) -> ReplayLog:
        """Replay a segment in a sandbox of its own, with its share of the memory; the first one in
        the sandbox that is there."""
        if planned is segments[0] and not alone:
            return replay(replayer, planned, self.extent, progress)
        stage = self.stage
        memory = stage.memory if alone else stage.memory // len(segments)
        seconds = self.ctx.deadline.remaining * (1 - _RESERVE)
        with _session(stage, self.case[Sources], replayer.session.level, seconds, memory) as own:
            own.build(self.entry, self.case[Config].config, self.threads)
            return replay(replace(replayer, session=own), planned, self.extent, progress)

    def _measure_sensitivity(self, session: Session) -> None:
        config = self.case[Config]
        self.ctx.progress(0.85, "replays with other seeds and precisions")
        with contextlib.suppress(ForeignCodeError):  # what it does in replays is held against it
            self.moved = measure_sensitivity(
                session,
                self.rows,
                self.snapshots,
                self.entry,
                config.config,
                self.threads,
                seconds=min(_SENSITIVITY, self.ctx.deadline.remaining / 4),
                check_time=self.check_time,
            )

    def _try_players(self, session: Session) -> None:
        self.check_time()
        self.ctx.progress(0.9, "players on extreme inputs")
        last = self.snapshots[-1]
        stepped = [s for s in self.snapshots if self.rows.count_from(s.step)]
        seconds = min(_EXTREMES, self.ctx.deadline.remaining / 2)
        begin = stepped[-1] if stepped else last
        self.extremes = try_players(session, last, begin, self.ctx.rng, seconds)

    def result(self, level: Level, session: Session) -> StageResult:
        """Make the stage's result from what was done."""
        checks = self.checks
        agreeing = sum(check.agrees is True for check in checks)
        decided = sum(check.agrees is not None for check in checks)
        if self.log.failure and not self._lacks_data and not self.log.checks:
            decided = len(checks)  # none could be made, by the code's own fault
        unknown = len(checks) - decided
        finite = {
            f"{tried.player}/{name}": share
            for tried in self.extremes
            for name, share in tried.finite.items()
        }
        environment: dict[str, Any] = {"isolation": str(level)}
        if self.stage.data:
            environment["outside"] = self.stage.data
        if session.ended is not None:
            environment["peak_memory_sandbox"] = session.ended.peak_memory
            environment["seconds_sandbox"] = round(session.ended.seconds, 3)
        if self.log.cut:
            environment["cut"] = self.log.cut
        return StageResult(
            terms={"logic": Estimate.obligations(agreeing, decided - agreeing, unknown)},
            records=[Executed(tuple(checks), finite, self.tolerance.exact)],
            findings=self._findings(),
            details={
                "note": _note(agreeing, decided, unknown, self.tolerance.exact),
                "replays": [_plain(check) for check in checks],
                "sensitivity": {
                    "moves": summary(self.moved),
                    "conditions": [asdict(moved) for moved in self.moved],
                },
                "extremes": [asdict(tried) for tried in self.extremes],
                "recorded": [asdict(one) for one in self._inventory()],
                "not_compared": self.log.coverage.uncompared,
            },
            environment=environment,
        )

    @property
    def checks(self) -> list[ReplayCheck]:
        """Checks that were planned, made or not."""
        planned = plan(self.rows, self.snapshots, self.extent, self.tolerance.exact)
        missed = "the run's code did not get so far"
        made = self.log.checks or [one.undecided(missed) for one in planned]
        return made + self.unreadable

    @property
    def _lacks_data(self) -> bool:
        """Whether the training was not even built, for want of files.

        Once it was built, a missing file is an error like any other: or the code could excuse
        itself from the one replay that it fails.
        """
        return isinstance(self.log.failure, ForeignDataError) and not self.built

    @property
    def _excused(self) -> set[str]:
        """Quantities that no training returns, and that are compared with each other."""
        series = self.case[Series]
        measures = possible_measures(series, self.case[Config].players)
        return measures | possible_controls(series, self.snapshots)

    def _inventory(self) -> list[Recorded]:
        snapshots, samples = self.case[Snapshots], self.case.get(Samples)
        return inventory(self.log.coverage, self._excused, snapshots, samples, self.checks)

    def _findings(self) -> list[Finding]:
        found = list(self.located)
        failure, file = self.log.failure, self.entry.partition(":")[0]
        if failure is not None:
            code = "EXE008" if self._lacks_data else "EXE003"
            found.insert(0, Finding(code, str(failure), place=failure.place or file))
        if not self.located:
            found += deviating_somewhere(self.log.deviating, self.entry)
        found += self._not_made(file)
        whole = failure is None and not self._not_made(file)
        found += self.log.coverage.findings(self._excused, file, whole)
        return found + self._of_numbers()

    def _not_made(self, file: str) -> list[Finding]:
        """Make EXE010 for the replays that no other finding gives a reason for."""
        if self._lacks_data:
            return []
        told = (ENDED, NOTHING_GIVEN)
        missed = [c for c in self.checks if c.agrees is None and c.reason not in told]
        if not missed or (self.log.failure and not self.log.checks):
            return []
        return [
            Finding(
                "EXE010",
                f"{len(missed)} of {len(self.checks)} replays decided nothing, from step "
                f"{missed[0].first_step:,} on: {self.log.cut or missed[0].reason}",
                first_step=missed[0].first_step,
                place=file,
                evidence={"undecided": len(missed), "planned": len(self.checks)},
            )
        ]

    def _of_numbers(self) -> list[Finding]:
        """Make findings for players that break, and EXE007 where a tolerance was needed."""
        last = self.snapshots[-1]
        found = extreme_findings(self.extremes, last.step, last.place)
        if not self.tolerance.exact:
            allowed = self.tolerance.allowed
            found.append(
                Finding(
                    "EXE007",
                    "the run was recorded on another machine or with other versions: replays "
                    f"may deviate by {allowed['probe']:.1g} at snapshots and "
                    f"{allowed['steps']:.1g} along steps",
                    evidence={"probe": allowed["probe"], "steps": allowed["steps"]},
                )
            )
        return found


def _session(
    stage: Execution, sources: Sources, level: Level, seconds: float, memory: int
) -> Session:
    """Make a session of the sandbox that sees the run's code and what the user allows."""
    data = _data(stage, sources.root)
    return Session(sources.paths, level, Bounds(seconds, memory), data=data)


def _data(stage: Execution, run: Path) -> Path | None:
    """Path that the code may read beside its own.

    It is not the run itself, whose later snapshots would be there to copy from, nor a folder
    that holds the run.
    """
    if not stage.data:
        return None
    shown, own = Path(stage.data).resolve(), run.resolve()
    if own.is_relative_to(shown) or shown.is_relative_to(own):
        raise NotApplicable(
            f"execution.data {stage.data} holds the run or lies in it, which its code must not "
            "see; name a file or folder beside it"
        )
    return Path(stage.data)


def _resumable(snapshots: Snapshots) -> tuple[list[RecordedState], list[ReplayCheck]]:
    """Read the resumable snapshots; returns them, and a failed check for each unreadable one."""
    stored, unreadable, any_resumable = [], [], False
    for snapshot in snapshots:
        try:
            if not snapshot.resumable:
                continue
            any_resumable = True
            stored.append(read_recorded_state(snapshot))
        except SnapshotError as error:
            reason = str(error).replace(str(snapshot.path), snapshot.path.name)
            unreadable.append(undecided("weights", snapshot.step, snapshot.step, reason))
    if not stored and (any_resumable or unreadable):
        raise NotApplicable("no snapshot of the run can be read: " + str(unreadable[0].reason))
    if not stored:
        raise NotApplicable(f"no snapshot of the run can be resumed; {RECORD_IT}")
    return stored, unreadable


def _clock(ctx: Context, total: float) -> Callable[[], None]:
    """Make the function that ends the work in time for its result to be written."""

    def check() -> None:
        if ctx.deadline.remaining < 2 * _RESERVE * total:
            raise OutOfTimeError("the stage's time was nearly up; later replays were not made")

    return check


def _differs_slightly_everywhere(log: ReplayLog) -> bool:
    """Whether another kernel is more likely than a changed record: nothing fits, all is near."""
    judged = [c for c in log.checks if c.kind in ("probe", "steps") and c.agrees is not None]
    return bool(judged) and all(c.agrees is False and 0 < c.worst <= _SLIGHT for c in judged)


def _note(agreeing: int, decided: int, unknown: int, exact: bool) -> str:
    how = (
        "to the last bit" if exact else f"within a tolerance measured here (at least {SMALLEST:g})"
    )
    more = f", {unknown} could not be made" if unknown else ""
    return f"{agreeing} of {decided} replays agree {how}{more}"


def _plain(check: ReplayCheck) -> dict[str, Any]:
    """Row of the report's table; JSON has no infinity."""
    row = asdict(check)
    row["worst"] = check.worst if check.worst < float("inf") else None
    row["deviating_steps"] = list(check.deviating_steps[:20])
    return row
