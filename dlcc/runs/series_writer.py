"""Writer of series files: a kill at any instant costs at most the last moments.

The caller packs rows into memory; one thread seals and writes them. Only that thread touches the
files: signals reach the main thread alone, so Ctrl-C can never come between a write and the note
that it was done.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from dlcc.errors import OptionError, RunError
from dlcc.runs.files import BINARY, cannot_write, write_all, written_whole
from dlcc.runs.forks import forget_in_children
from dlcc.runs.layout import RunLayout
from dlcc.runs.pending import Pending, fetch_pending
from dlcc.runs.series_format import (
    BLOCK_HEADER_BYTES,
    BLOCK_ROWS,
    MAX_BYTES,
    NO_REWIND,
    FormatError,
    encode_block_header,
    encode_file_header,
    row_dtype,
    row_struct,
)
from dlcc.runs.series_reader import SeriesFile, read_series_files
from dlcc.runs.troubles import Troubles

FLUSH_SECONDS = 0.05
MAX_FILES = 256  # each holds a descriptor and two buffers
_MAX_BLOCK_BYTES = 2**19
_MAX_BACKLOG = 16  # blocks that may wait for the disk before the caller has to
RESERVED_BYTES = (MAX_FILES + _MAX_BACKLOG) * _MAX_BLOCK_BYTES  # what memory may hold at the end
MAX_CLOCK_MILLISECONDS = 2**31  # after 24 days blocks count from a new start


class _Block:
    """Rows of one file on their way to the disk."""

    __slots__ = ("buffer", "pending", "rewind", "rows", "start", "start_ns")

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.pending: list[tuple[int, Pending]] = []  # with their rows
        self.rows = 0
        self.rewind = NO_REWIND
        self.start = 0.0  # unix time from which the clock of the rows counts
        self.start_ns = 0  # the same moment in monotonic time

    def clear(self) -> None:
        self.pending.clear()
        self.rows = 0
        self.rewind = NO_REWIND


class SeriesWriter:
    """Series files of one run, open for appending, and the thread that writes them.

    Opening continues the files that are there and drops the tails that a kill cut off. `made` is
    called with each new file, when it holds its header and no rows.

    Raises:
        SeriesError: An existing file is damaged.
        RunError: The system refuses to open a file.
    """

    def __init__(self, layout: RunLayout, made: Callable[[Path], None] = lambda path: None) -> None:
        self.lock = threading.Lock()
        """Lock held while rows change hands between the caller and the thread."""
        self.changed = threading.Condition(self.lock)
        """Condition that is notified after every pass of the thread."""
        self.backlog: deque[tuple[SeriesAppender, _Block]] = deque()
        """Sealed blocks, oldest first."""
        self.failure: OSError | MemoryError | None = None
        """Error because of which the oldest block is not written yet."""
        self.lost_numbers: RuntimeError | None = None
        """Error because of which numbers were not fetched from an accelerator and became NaN."""
        self.closed = False
        self._finished = False
        self.troubles = Troubles(layout, MAX_BYTES - RESERVED_BYTES)
        existing = read_series_files(layout)
        sessions = [block.session for file in existing.values() for block in file.blocks]
        self.session = max(sessions, default=-1) + 1
        self.restart_clock()
        self._layout = layout
        self._made = made
        self._next_file = max((int(path.stem) for path in existing), default=-1) + 1
        self._appenders: dict[frozenset[str], SeriesAppender] = {}
        for path, file in existing.items():
            key = frozenset(file.columns)
            self._appenders[key] = SeriesAppender(self, path, file.columns, file)
        self._wake = threading.Event()
        self._asked = self._served = 0
        self._process = os.getpid()
        self._thread = threading.Thread(target=self._run, name="dlcc-series", daemon=True)
        self._thread.start()
        forget_in_children(self)

    def __iter__(self) -> Iterator[SeriesAppender]:
        return iter(self._appenders.values())

    def appender(self, columns: Sequence[str]) -> SeriesAppender:
        """Find the file for this set of quantities; it is made where there is none."""
        key = frozenset(columns)
        if key not in self._appenders:
            if len(self._appenders) >= MAX_FILES:
                raise OptionError(
                    f"{self._layout.series}: {MAX_FILES} different sets of quantities were logged "
                    f"and {sorted(key)[:3]} would be one more; log the same names at each step"
                )
            self.troubles.check_place()  # a folder that is gone must not be made again
            path = self._layout.series_file(self._next_file)
            try:
                header = encode_file_header(columns)
            except FormatError as error:
                raise OptionError(f"{path}: {error}; log fewer or other quantities") from None
            with written_whole(path) as temporary:
                temporary.write_bytes(header)
            self._made(path)
            self._next_file += 1
            self._appenders[key] = SeriesAppender(self, path, columns, None)
        return self._appenders[key]

    def restart_clock(self) -> None:
        """Have the clock of rows logged from now on count from now on."""
        self.start, self.start_ns = time.time(), time.monotonic_ns()

    def request_write(self) -> None:
        """Wake the thread, without waiting for it."""
        self._wake.set()

    def flush(self) -> None:
        """Wait until all that was logged is in the files.

        Raises:
            RunError: The system refuses; the rows are kept and tried again.
        """
        with self.changed:
            self.check_open()
            self._asked += 1
            mine = self._asked
            self._wake.set()
            self.changed.wait_for(lambda: self._served >= mine)
            self.check_failure()
        self.troubles.check_place()

    def sync(self) -> None:
        """Write all rows to the files, and have the system put the files on the disk."""
        self.flush()
        for appender in self._appenders.values():
            appender.sync()

    def close(self) -> None:
        """Write what is left, stop the thread and close the files; closing twice does nothing.

        Raises:
            RunError: The last rows could not be written and are lost.
        """
        if self._finished or self._process != os.getpid():
            return
        self.closed = True
        self._wake.set()
        try:
            self._thread.join()
        except KeyboardInterrupt:
            self._thread.join()  # the last rows take milliseconds, and must precede the unlocking
            raise
        finally:
            self._finished = True
            for appender in self._appenders.values():
                appender.close()
        if self.failure is not None:
            lost = len(set().union(*(a.steps_of(block) for a, block in self.backlog)))
            raise RunError(
                f"{self._layout.series}: the last {lost:,} steps were refused ({self.failure}) "
                "and are lost; free some space and resume from the newest snapshot"
            ) from self.failure
        self.check_failure()
        self.troubles.check_place()

    def forget(self) -> None:
        """Close the descriptors in a forked child, and drop what the parent will write."""
        self.lock = threading.Lock()  # the parent's may have been held at the fork
        self.changed = threading.Condition(self.lock)
        self.closed = True
        for appender in self._appenders.values():
            appender.close()

    def check_failure(self) -> None:
        """Raise an error that the thread met, as an error of the run."""
        if self.failure is not None:
            raise cannot_write(self._layout.series, self.failure) from self.failure
        if self.lost_numbers is not None:
            raise RunError(
                f"{self._layout.series}: numbers could not be fetched from the accelerator "
                f"({self.lost_numbers}) and are recorded as NaN; mend the training"
            ) from self.lost_numbers

    def make_room(self) -> None:
        """Wait, with the lock held, until another block may be sealed.

        Raises:
            RunError: The disk refuses, and all memory set aside for that is used.
        """
        while len(self.backlog) >= _MAX_BACKLOG:
            self._wake.set()
            self.check_failure()
            self.changed.wait()

    def check_open(self) -> None:
        """Raise where nothing can be logged any more: the writer is closed, or this is a child."""
        if self._process != os.getpid():
            raise RunError(
                f"{self._layout.path}: the recorder belongs to process {self._process}, which "
                "forked this one; open a recorder of another folder here"
            )
        if self.closed:
            raise RunError(f"{self._layout.path}: the recorder is closed; open it again")

    def check_ready(self) -> None:
        """Raise where nothing can be logged any more, or the run's folder was moved."""
        self.check_open()
        self.troubles.check_place()

    def _run(self) -> None:
        closing = False
        while not closing:
            self._wake.wait(FLUSH_SECONDS)
            self._wake.clear()
            with self.lock:
                asked, closing = self._asked, self.closed
                # While the disk refuses, rows gather in one block instead of many small ones.
                if closing or asked > self._served or not self.backlog:
                    for appender in self._appenders.values():
                        appender.seal()
            self._drain()
            with self.changed:
                self._served = asked
                self.changed.notify_all()

    def _drain(self) -> None:
        """Write sealed blocks until none is left or the system refuses one."""
        while True:
            with self.lock:
                if not self.backlog:
                    self.failure = None
                    return
                appender, block = self.backlog[0]
            try:
                fetch_pending(block.buffer, block.pending, appender.row_bytes)
            except RuntimeError as error:  # the accelerator failed, and the training with it
                self.lost_numbers = error
                block.pending.clear()
            try:
                appender.write(block)
            except (OSError, MemoryError) as error:
                self.failure = error
                self.troubles.refused(error)
                return
            appender.check_place()
            with self.changed:
                self.backlog.popleft()
                appender.give_back(block)
                self.changed.notify_all()


class SeriesAppender:
    """Series file that is open for appending."""

    def __init__(
        self, writer: SeriesWriter, path: Path, columns: Sequence[str], existing: SeriesFile | None
    ) -> None:
        self.path = path
        self.columns = tuple(columns)
        self.last_step = existing.last_kept_step() if existing else -1
        """Last step that is not superseded, -1 where there is none."""
        self._writer = writer
        self._row = row_struct(len(columns))
        self.row_bytes = self._row.size
        self._capacity = max(1, min(BLOCK_ROWS, _MAX_BLOCK_BYTES // self.row_bytes))
        try:
            self._descriptor = os.open(path, os.O_WRONLY | BINARY)
        except OSError as error:
            raise cannot_write(path, error) from error
        self._blocks = len(existing.blocks) if existing else 0
        self._end = existing.intact_bytes if existing else os.fstat(self._descriptor).st_size
        writer.troubles.grew(self._end)
        os.ftruncate(self._descriptor, self._end)  # drops the tail that a kill cut off
        self._spare: _Block | None = None
        self._active = self._next_block()

    def append(self, step: int, values: Iterable[float], pending: Pending | None = None) -> None:
        """Add a row: one number a column, except those that are still in `pending`.

        Raises:
            RunError: The writer is closed; or the disk refuses, and the memory for that is used.
        """
        writer = self._writer
        with writer.lock:
            if writer.closed:
                writer.check_open()
            if writer.troubles.waiting:
                writer.troubles.tell()
            block = self._active
            if block.rows == self._capacity:
                writer.make_room()
                self.seal()
                block = self._active
                writer.request_write()
            clock = (time.monotonic_ns() - block.start_ns) // 1_000_000
            if clock > MAX_CLOCK_MILLISECONDS:
                writer.restart_clock()
                self.seal()
                block, clock = self._active, 0
            row = block.rows
            self._row.pack_into(block.buffer, row * self.row_bytes, step, clock, *values)
            if pending is not None:
                block.pending.append((row, pending))
            block.rows = row + 1
            self.last_step = step

    def rewind(self, step: int) -> None:
        """Note that the rows so far with this step or a later one are superseded."""
        with self._writer.lock:
            self.seal()
            self._active.rewind = step
            self.last_step = min(self.last_step, step - 1)

    def seal(self) -> None:
        """Put the rows so far into the backlog, with the writer's lock held."""
        if self._active.rows or self._active.rewind != NO_REWIND:
            self._writer.troubles.grew(BLOCK_HEADER_BYTES + self._active.rows * self.row_bytes)
            self._writer.backlog.append((self, self._active))
            self._active = self._next_block()

    def write(self, block: _Block) -> None:
        """Append a block to the file, whole or not at all.

        Raises:
            OSError: The system refused; the file is as before.
        """
        payload = memoryview(block.buffer)[: block.rows * self.row_bytes]
        header = encode_block_header(
            self._blocks, self._writer.session, block.rows, block.rewind, block.start, payload
        )
        size = len(header) + len(payload)
        try:
            write_all(self._descriptor, header + payload, self._end)
        except OSError:
            os.ftruncate(self._descriptor, self._end)  # rolls a short write back
            raise
        self._blocks += 1
        self._end += size

    def steps_of(self, block: _Block) -> set[int]:
        """Steps of a block's rows."""
        rows = np.frombuffer(block.buffer, row_dtype(len(self.columns)), block.rows)
        return set(rows["step"].tolist())

    def check_place(self) -> None:
        """Note a file that is no longer what its path names."""
        self._writer.troubles.check_file(self.path, self._descriptor)

    def give_back(self, block: _Block) -> None:
        """Keep a written block's memory for the next one."""
        block.clear()
        self._spare = block

    def sync(self) -> None:
        """Have the system put the file on the disk: fsync(2)."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise cannot_write(self.path, error) from error

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _next_block(self) -> _Block:
        block, self._spare = self._spare or _Block(self._capacity * self.row_bytes), None
        block.start, block.start_ns = self._writer.start, self._writer.start_ns
        return block
