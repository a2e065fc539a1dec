"""Sandbox that a worker of an engine keeps from one rerun of a training to the next."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping

from dlcc.engine.jobs import is_worker
from dlcc.engine.scratch import scratch_folder
from dlcc.sandbox import Bounds, Session, best_level


class WarmSession:
    """Holder of one open session, for the code that asked last.

    Starting a sandbox takes seconds, most of them for imports, and a worker reruns the same code
    with one setting after the other.

    >>> warm, soon = WarmSession(), time.time() + 60
    >>> first = warm.session({}, True, soon)
    >>> first is warm.session({}, True, soon)
    True
    >>> warm.close()
    >>> first.alive
    False
    """

    def __init__(self) -> None:
        self._files: Mapping[str, bytes] = {}
        self._until = 0.0
        self._open: Session | None = None
        self._stack = contextlib.ExitStack()

    def session(self, files: Mapping[str, bytes], trust: bool, until: float) -> Session:
        """Give the open session where it has these files and ends at that time, else a new one.

        Args:
            files: Path inside -> content.
            trust: Whether the code may run where no sandbox can isolate it.
            until: Time at which the session may end, in seconds since the epoch.

        Raises:
            IsolationError: Nothing isolates the code.
        """
        usable = self._open is not None and self._open.alive
        if not usable or (files, until) != (self._files, self._until):
            self.close()
            self._open = self._opened(files, trust, until)
            self._files, self._until = dict(files), until
        assert self._open is not None
        return self._open

    def close(self) -> None:
        """End the session that is open, if there is one."""
        self._open = None
        self._stack.close()

    def _opened(self, files: Mapping[str, bytes], trust: bool, until: float) -> Session:
        """Start a session with copies of the files."""
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(scratch_folder())
            paths = {name: folder / str(k) for k, name in enumerate(files)}
            for name, path in paths.items():
                path.write_bytes(files[name])
            limits = Bounds(seconds=max(1.0, until - time.time()))
            session = stack.enter_context(Session(paths, best_level(trust), limits))
            self._stack = stack.pop_all()
        return session


_OF_THIS_WORKER = WarmSession()


@contextlib.contextmanager
def session_of_worker(files: Mapping[str, bytes], trust: bool, until: float) -> Iterator[Session]:
    """Give a session with these files: the worker's own, which it keeps until it ends.

    In a process that is no worker of an engine the session ends with the block.

    Args:
        files: Path inside -> content.
        trust: Whether the code may run where no sandbox can isolate it.
        until: Time at which the session may end, in seconds since the epoch.

    Raises:
        IsolationError: Nothing isolates the code.
    """
    if is_worker():
        yield _OF_THIS_WORKER.session(files, trust, until)
        return
    own = WarmSession()
    try:
        yield own.session(files, trust, until)
    finally:
        own.close()
