"""Pool of warm sandboxes that rerun a run's own code side by side, leg by leg.

Each sandbox imports the code once. A rerun may pause after a first leg, so that somebody can look
whether it is worth its end, and goes on from the state in which it paused. Whole reruns are kept
under the address that every engine gives them (`dlcc.engine.jobs`), pauses beside them.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from dlcc.cache import cache_folder
from dlcc.engine.results import write_result
from dlcc.errors import DlccError, ForeignCodeError, ForeignCodeStopped
from dlcc.records import Series
from dlcc.reruns.outcome import Recorded, Refused, steps_to_sample
from dlcc.reruns.packing import packed, unpacked
from dlcc.reruns.plan import Rerun
from dlcc.reruns.sandbox_program import SAMPLES, SandboxProgram, logged_series
from dlcc.sandbox import Bounds, Session
from dlcc.stage import Deadline

_LAST_SECONDS = 2.0  # in which time, and not memory, is what ends a sandbox
_LARGEST_STATE = 256 << 20  # bytes that a paused rerun may keep in memory


@dataclass(frozen=True)
class Paused:
    """Rerun as far as it was made."""

    done: int
    """Number of steps that are done."""
    recorded: Recorded
    """Record of these."""
    state: tuple[Any, bytes] | None = None
    """Tree and tensors of its state, to go on from; None where it has to start again, or is at its
    end."""


@dataclass(frozen=True)
class Leg:
    """Part of a rerun to be made: from a pause, or the start, to a step."""

    name: Any
    """Name by which whoever ordered it knows it."""
    config: Mapping[str, Any]
    """Whole configuration, its seed included."""
    until: int
    """Step before which it pauses, or its end."""
    start: Paused | None = None
    """Pause from which it goes on; None for the start."""


@dataclass(frozen=True)
class Made:
    """Result of a leg."""

    leg: Leg
    result: Paused | Refused
    seconds: float
    """Time that it took; 0 where it was kept from an earlier call."""


@dataclass
class SandboxPool:
    """Pool of sandboxes; a context manager.

    Legs that were ordered are made in their order, as sandboxes become free. A sandbox in which the
    code died is replaced by a fresh one.
    """

    program: SandboxProgram
    length: int
    """Number of steps of a rerun."""
    workers: int
    """Number of sandboxes."""
    deadline: Deadline
    """Time by which all of them end."""
    folder: Path | None = None
    """Folder where reruns are kept; by default in the user's cache."""
    _orders: queue.SimpleQueue[Leg | None] = field(default_factory=queue.SimpleQueue)
    _results: queue.SimpleQueue[Made | BaseException] = field(default_factory=queue.SimpleQueue)
    _sessions: list[Session] = field(default_factory=list)
    _waiting: int = 0
    _over: bool = False

    def __enter__(self) -> Self:
        self._threads = [
            threading.Thread(target=self._work, name=f"rerun-{k}", daemon=True)
            for k in range(self.workers)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        for _ in self._threads:
            self._orders.put(None)
        for session in list(self._sessions):
            session.interrupt()
        for thread in self._threads:
            thread.join(timeout=10.0)

    @property
    def waiting(self) -> int:
        """Number of legs that were ordered and did not come back."""
        return self._waiting

    def order(self, leg: Leg) -> None:
        """Order a leg.

        Args:
            leg: Leg to be made.
        """
        self._waiting += 1
        self._orders.put(leg)

    def next(self, timeout: float) -> Made | None:
        """Wait for a leg to come back.

        Args:
            timeout: Seconds to wait.

        Returns:
            The leg with its result; None where none came back in time.

        Raises:
            ForeignCodeStopped: The code used up its limits.
            IsolationError: A sandbox could not be started.
            OutputError: A result could not be kept.
        """
        try:
            made = self._results.get(timeout=max(0.01, timeout))
        except queue.Empty:
            return None
        self._waiting -= 1
        if isinstance(made, BaseException):
            raise made
        return made

    def _work(self) -> None:
        """Make legs until there are no more, in a sandbox that stays."""
        with contextlib.ExitStack() as stack:
            session: Session | None = None
            while (leg := self._orders.get()) is not None and not self._over:
                started = time.monotonic()
                try:
                    kept = self._kept(leg)
                    if kept is not None:
                        self._results.put(Made(leg, kept, 0.0))
                        continue
                    if session is None or not session.alive:
                        session = self._opened(stack)
                    result = self._run(session, leg)
                    self.keep(leg, result)
                except DlccError as error:
                    self._results.put(error)
                    continue
                except Exception as error:  # shown where the pool is asked, not on a thread
                    self._results.put(error)
                    continue
                self._results.put(Made(leg, result, time.monotonic() - started))

    def _opened(self, stack: contextlib.ExitStack) -> Session:
        stack.close()
        limits = Bounds(seconds=max(1.0, self.deadline.remaining + 1.0))
        program = self.program
        session = stack.enter_context(Session(program.files, program.level, limits))
        self._sessions.append(session)
        return session

    def _run(self, session: Session, leg: Leg) -> Paused | Refused:
        try:
            if leg.start is not None and leg.start.state is not None:
                try:
                    return self._went_on(session, leg, leg.start)
                except ForeignCodeStopped:
                    raise
                except ForeignCodeError:
                    if not session.alive:
                        raise
            session.build(self.program.entry, leg.config)
            return self._stepped(session, leg, Paused(0, Recorded(Series.from_start({}), [])))
        except ForeignCodeStopped as error:
            if self.deadline.remaining > _LAST_SECONDS:  # of memory: this setting wants too much
                return Refused(error)
            raise
        except ForeignCodeError as error:
            return Refused(error)

    def _went_on(self, session: Session, leg: Leg, start: Paused) -> Paused:
        """Go on from a pause."""
        assert start.state is not None
        tree, tensors = start.state
        session.build(self.program.entry, leg.config)
        session.load({"state": tree, "random": None}, tensors)
        return self._stepped(session, leg, start)

    def _stepped(self, session: Session, leg: Leg, start: Paused) -> Paused:
        """Step to the end of the leg, recording quantities, and samples where data are known."""
        names, sampled = list(self.program.quantities), self.program.reference is not None
        rows = [_rows_of(start.recorded, names, start.done)]
        samples, done = list(start.recorded.samples), start.done
        for step in steps_to_sample(self.length):
            if not start.done < step <= leg.until:
                continue
            stepped = session.step(done, step - done, names)
            rows.append(np.where(stepped.present, stepped.values, np.nan))
            done = step
            if sampled:
                samples.append(session.sample(SAMPLES, step))
        state = _state_of(session) if done < self.length else None
        return Paused(done, Recorded(logged_series(names, rows), samples), state)

    def file_of(self, leg: Leg, *, whole: bool = False) -> Path:
        """Find the file in which a leg, or the whole rerun that it is of, is kept.

        Args:
            leg: Leg.
            whole: Whether the whole rerun is meant.

        Returns:
            Its place; the file need not be there.
        """
        [(_, job)] = self.program.parts([Rerun("setting", leg.config)], self.length, 0.0)
        whole = whole or leg.until >= self.length
        name = job.address if whole else f"{job.address}-{leg.until}"
        return (self.folder or cache_folder() / "reruns") / name

    def _kept(self, leg: Leg) -> Paused | Refused | None:
        """Result of the whole rerun, or of the leg, from an earlier call."""
        for file, done in (
            (self.file_of(leg, whole=True), self.length),
            (self.file_of(leg), leg.until),
        ):
            if not file.exists():
                continue
            try:
                [record] = unpacked(file)
            except (OSError, ValueError, KeyError):
                continue
            return record if isinstance(record, Refused) else Paused(done, record)
        return None

    def keep(self, leg: Leg, result: Paused | Refused) -> None:
        """Keep what became of a leg.

        Args:
            leg: Leg.
            result: Record of what was made, or the code's error.

        Raises:
            OutputError: The file cannot be written.
        """
        if isinstance(result, Refused) and isinstance(result.error, ForeignCodeStopped):
            return  # another machine may have more memory
        file = self.file_of(leg)
        file.parent.mkdir(parents=True, exist_ok=True)
        record = result if isinstance(result, Refused) else result.recorded
        write_result(file, packed([record]))


def _rows_of(recorded: Recorded, names: list[str], done: int) -> np.ndarray[Any, Any]:
    """Rows [done, len(names)] of a record; NaN where a quantity was not logged."""
    rows = np.full((done, len(names)), np.nan)
    for k, name in enumerate(names):
        if name in recorded.series.columns:
            rows[:, k] = recorded.series.columns[name].values
    return rows


def _state_of(session: Session) -> tuple[Any, bytes] | None:
    """State to go on from; None where it cannot be had."""
    from safetensors.numpy import save

    try:
        tree, tensors = session.state()
    except ForeignCodeStopped:
        raise
    except ForeignCodeError:
        if not session.alive:
            raise
        return None
    if sum(array.nbytes for array in tensors.values()) > _LARGEST_STATE:
        return None
    return tree, save({name: np.ascontiguousarray(array) for name, array in tensors.items()})
