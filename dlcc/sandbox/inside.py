"""Process inside the sandbox, with a pipe for requests and one for answers."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcc.engine.process import Ended, supervise
from dlcc.errors import DlccError, ForeignCodeError, ForeignCodeStopped, IsolationError
from dlcc.sandbox import bubblewrap, wire
from dlcc.sandbox.environment import CHILD, ENVIRONMENT
from dlcc.sandbox.levels import Level

_CHUNK = 1 << 16
_FAREWELL = 1.0  # seconds a child has to end by itself


@dataclass(frozen=True)
class Bounds:
    """Bounds on the process inside and all that it starts."""

    seconds: float = 120.0
    """Seconds from the start of the process to its end."""
    memory: int = 2 << 30
    """Memory of the whole tree in bytes; at least 1 GiB, for importing torch takes most of that."""
    processes: int = 64
    """Number of processes and threads; where the level cannot bind them, memory does."""


class Inside:
    """Process inside, bounded and watched from outside."""

    def __init__(self, level: Level, limits: Bounds, data: Path | None) -> None:
        self.ended: Ended | None = None
        """Result of the sandboxed process, once it has ended."""
        self._level = level
        self._limits = limits
        self._data = data
        self._not_started: OSError | None = None
        self._stop = threading.Event()
        self._hurry: tuple[float, float] | None = None

    def hurry(self, seconds: float | None) -> None:
        """Wait for answers no longer than this from now on; None for as long as the limits let."""
        self._hurry = None if seconds is None else (seconds, time.monotonic() + seconds)

    @property
    def wrapped(self) -> bool:
        """Whether bubblewrap starts the process."""
        return self._level in (Level.BUBBLEWRAP, Level.BUBBLEWRAP_AS_ROOT)

    def start(self, staged: Path, stack: contextlib.ExitStack) -> None:
        """Start the process and the thread that watches it.

        Args:
            staged: Folder of copies in which the process runs.
            stack: Stack whose closing ends both and closes the pipes.
        """
        requests_out, self._requests = os.pipe()
        self._answers, answers_in = os.pipe()
        stack.callback(os.close, self._answers)
        for descriptor in (self._requests, self._answers):
            os.set_blocking(descriptor, False)
        inherited = [requests_out, answers_in]
        program = [sys.executable, "-I", "-B", str(CHILD), str(requests_out), str(answers_in)]
        if self.wrapped:
            filter_ = stack.enter_context(bubblewrap.seccomp_file()).fileno()
            inherited.append(filter_)
            as_root = self._level is Level.BUBBLEWRAP_AS_ROOT
            program = bubblewrap.command(program, staged, filter_, as_root, self._data)
        self._deadline = time.monotonic() + self._limits.seconds
        self._watcher = threading.Thread(
            target=self._watch, args=(program, staged, inherited), name="sandbox", daemon=True
        )
        self._watcher.start()
        stack.callback(self._end)

    def _watch(self, program: list[str], staged: Path, inherited: list[int]) -> None:
        # The kernel kills the child when the thread that started it ends: this one, which waits.
        try:
            self.ended = supervise(
                program,
                seconds=self._limits.seconds,
                memory=self._limits.memory,
                cwd=staged,
                env=ENVIRONMENT,
                pass_fds=inherited,
                stop=self._stop,
            )
        except OSError as error:
            self._not_started = error
        finally:
            for descriptor in inherited[:2]:  # the third belongs to seccomp_file
                os.close(descriptor)

    def stop(self) -> None:
        """End the process, without waiting for its end."""
        self._stop.set()

    def exchange(self, frame: bytes, largest: int) -> tuple[dict[str, Any], bytes]:
        """Send the frame of a request and receive the answer's.

        Args:
            frame: Request, as of `dlcc.sandbox.wire.encode`.
            largest: Largest tensor file that is taken, in bytes.

        Returns:
            Message and tensor file of the answer, parsed but not believed.

        Raises:
            WireError: The answer is malformed, or larger.
            ForeignCodeError: The process has ended; as ForeignCodeStopped where it used up its
                limits.
            IsolationError: The process could not be started at this level.
        """
        self._send(frame)
        text, tensors = wire.parse_sizes(self._receive(wire.HEADER.size), largest)
        return wire.parse_message(self._receive(text)), self._receive(tensors)

    def _send(self, frame: bytes) -> None:
        view = memoryview(frame)
        while view:
            self._wait(self._requests, select.POLLOUT)
            try:
                view = view[os.write(self._requests, view[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._over() from None

    def _receive(self, size: int) -> bytes:
        """Receive exactly `size` bytes, taken as they come: a claim alone costs no memory."""
        data = bytearray()
        while len(data) < size:
            self._wait(self._answers, select.POLLIN)
            try:
                chunk = os.read(self._answers, min(size - len(data), 1 << 20))
            except BlockingIOError:
                continue
            if not chunk:
                raise self._over()
            data += chunk
        return bytes(data)

    def _wait(self, descriptor: int, event: int) -> None:
        """Wait until the descriptor is ready or its other end is gone."""
        poll = select.poll()
        poll.register(descriptor, event)
        while not poll.poll(100):
            now = time.monotonic()
            if now > self._deadline or not self._watcher.is_alive():
                raise self._over()
            if self._hurry is not None and now > self._hurry[1]:
                self._stop.set()
                raise ForeignCodeStopped(
                    f"the run's code was not done after {self._hurry[0]:.0f} s and was stopped"
                )

    def _over(self) -> DlccError:
        """Make the error for a process that does not answer any more."""
        self._watcher.join(_FAREWELL)  # it may be about to end
        self._stop.set()
        self._watcher.join()
        if self._not_started is not None:
            return IsolationError(f"level {self._level} cannot be started: {self._not_started}")
        ended = self.ended
        if ended is not None and ended.how == "memory":
            return ForeignCodeStopped(
                f"the run's code used more than {self._limits.memory >> 20} MB and was stopped"
            )
        if ended is not None and ended.how == "exited":
            last = wire.shown((ended.output.strip().splitlines() or ["nothing"])[-1])
            return ForeignCodeError(
                f"the run's code ended its process with status {ended.returncode}; it said: {last}"
            )
        return ForeignCodeStopped(
            f"the run's code was not done after {self._limits.seconds:.0f} s and was stopped"
        )

    def _end(self) -> None:
        self._stop.set()
        self._watcher.join()
        os.close(self._requests)
