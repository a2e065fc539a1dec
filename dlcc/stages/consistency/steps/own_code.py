"""Run's own code in a sandbox that opens when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from dlcc.records import Config, Snapshots, Sources
from dlcc.sandbox import Bounds, Session, best_level
from dlcc.stage import NotApplicable
from dlcc.stages.consistency.steps.step_tracing import latest_states
from dlcc.stages.recorded_state import RecordedState, entry_of

_MEMORY = 3 << 30


@dataclass(frozen=True)
class Opened:
    """Session with the run's code, and where it begins."""

    session: Session
    """Session."""
    entry: str
    """Entry point that builds the training."""
    begun: RecordedState | None
    """State of the last snapshot that a step can be done from; None where there is none."""


class OwnCode:
    """Run's own code for trials, in one sandbox for all of them; a context manager.

    Args:
        config: Configuration of the run.
        sources: Code that the run holds.
        snapshots: Snapshots of the run.
        trust: Whether the code may run where no sandbox can isolate it.
        seconds: Function that gives the time that all trials may take, asked when it is opened.
    """

    def __init__(
        self,
        config: Config,
        sources: Sources | None,
        snapshots: Snapshots | None,
        *,
        trust: bool,
        seconds: Callable[[], float],
    ) -> None:
        self.config = config
        """Configuration of the run."""
        self._sources, self._snapshots = sources, snapshots
        self._trust, self._seconds = trust, seconds
        self._stack = ExitStack()
        self._opened: Opened | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def open(self) -> Opened:
        """Open the sandbox, if it is not open.

        Raises:
            NotApplicable: The run holds no code.
            IsolationError: Nothing isolates the code, and it is not trusted.
            ForeignCodeError: The process ends before it is asked anything.
        """
        if self._opened is None:
            if self._sources is None:
                raise NotApplicable("the run holds no code")
            entry = entry_of(self.config, self._sources)
            bounds = Bounds(self._seconds(), _MEMORY)
            session = Session(self._sources.paths, best_level(self._trust), bounds)
            self._opened = Opened(self._stack.enter_context(session), entry, self._begun())
        return self._opened

    def _begun(self) -> RecordedState | None:
        if self._snapshots is None:
            return None
        try:
            return latest_states(self._snapshots, self.config.length)[0]
        except NotApplicable:
            return None
