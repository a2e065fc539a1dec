"""Reader of series files: blocks verified, rewinds followed, superseded rows left out."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from dlcc.errors import SeriesError
from dlcc.runs.files import opened_regular
from dlcc.runs.layout import RunLayout
from dlcc.runs.series import Column, Series
from dlcc.runs.series_format import (
    BLOCK_HEADER_BYTES,
    BLOCK_ROWS,
    MAX_BYTES,
    NO_REWIND,
    BlockHeader,
    FormatError,
    decode_block_header,
    read_file_header,
    row_dtype,
)
from dlcc.typing import Floats, Ints

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class SeriesFile:
    """Content of one file as it is on the disk, superseded rows included."""

    columns: tuple[str, ...]
    blocks: tuple[BlockHeader, ...]
    steps: Ints
    """Step `[n]` of each row."""
    clock: Floats
    """Unix time `[n]` of each row, in seconds."""
    values: Floats
    """Values `[columns, n]`, in the units of the quantities."""
    intact_bytes: int
    """Size of the file in bytes up to the end of its last intact block."""
    torn: bool

    def row_offsets(self) -> Ints:
        """Index `[blocks + 1]` of each block's first row, and last the number of rows."""
        return np.concatenate(([0], np.cumsum([block.rows for block in self.blocks], dtype=int)))

    @cached_property
    def straight(self) -> bool:
        """Whether the training never went back, as in nearly all runs; the methods below are then
        short."""
        return not self._rewinds() and bool(np.all(self.steps[1:] > self.steps[:-1]))

    def kept(self) -> NDArray[np.bool_]:
        """Mask `[n]` of the rows whose step is below every step and rewind that follows them."""
        if self.straight:
            return np.ones(len(self.steps), dtype=bool)
        rewinds = self._rewinds()
        later = np.full(len(self.steps) + 1, _NEVER)
        later[:-1] = self.steps
        for row, step in rewinds:  # a rewind before row r binds the rows up to r - 1
            later[row] = min(later[row], step)
        smallest = np.minimum.accumulate(later[::-1])[::-1]
        # The row itself is not among those that follow, but a rewind noted at its place is: it
        # binds only earlier rows, hence the comparison with the next entry.
        kept: NDArray[np.bool_] = self.steps < smallest[1:]
        return kept

    def last_kept_step(self) -> int:
        """Last step that is not superseded, -1 where there is none."""
        kept = self.steps[self.kept()]
        return int(kept[-1]) if len(kept) else -1

    def went_back(self) -> list[_Rewind]:
        """Every place at which the training went back, in the order of recording."""
        if self.straight:
            return []
        marks = dict(self._rewinds())
        falls = set((np.flatnonzero(np.diff(self.steps) <= 0) + 1).tolist())
        offsets = self.row_offsets()
        found = []
        reached = -1
        position = 0
        for row in sorted(falls | marks.keys()):
            reached = max(reached, int(self.steps[position:row].max(initial=-1)))
            target = min(marks.get(row, _NEVER), int(self.steps[row]) if row in falls else _NEVER)
            position = row
            if target <= reached:
                block = int(np.searchsorted(offsets, row, side="right")) - 1
                session = self.blocks[min(block, len(self.blocks) - 1)].session
                found.append(_Rewind(session, target, reached))
                reached = target - 1
        return found

    def _rewinds(self) -> list[tuple[int, int]]:
        """Rewinds (row, step): rows before `row` with that step or a later one are superseded."""
        smallest: dict[int, int] = {}
        offsets = self.row_offsets()
        for block, row in zip(self.blocks, offsets.tolist(), strict=False):
            if block.rewind != NO_REWIND:
                smallest[row] = min(block.rewind, smallest.get(row, _NEVER))
        return sorted(smallest.items())


class _Rewind(NamedTuple):
    session: int
    target: int
    reached: int


class _Rows(NamedTuple):
    """Kept rows of one quantity in one file."""

    steps: Ints
    clock: Floats
    values: Floats


def read_series(layout: RunLayout, until: int | None = None) -> Series:
    """Read the series of a run, superseded rows left out.

    Args:
        layout: Paths of the run folder.
        until: Step before which rows are read (`step < until`); None for all rows.

    Raises:
        SeriesError: A file is damaged anywhere but in a tail that a kill cut off.
    """
    files = list(read_series_files(layout).values())
    parts: dict[str, list[_Rows]] = defaultdict(list)
    for file in files:
        steps, clock, values = _kept_before(file, until)
        if len(steps):
            for name, column in zip(file.columns, values, strict=True):
                parts[name].append(_Rows(steps, clock, column))
    return Series(
        columns={name: _merged(rows) for name, rows in parts.items()},
        restarts=_restarts(files, until),
        rewinds=_all_rewinds(files, until),
        torn=any(file.torn for file in files),
    )


def read_series_files(layout: RunLayout) -> dict[Path, SeriesFile]:
    """Read and verify all series files of a run, in the order in which they were made.

    Raises:
        SeriesError: A file is damaged, or together they are larger than a reader can hold.
    """
    paths = layout.series_files()
    _check_size(layout.series, sum(os.stat(path).st_size for path in paths))
    return {path: read_series_file(path) for path in paths}


def read_series_file(path: Path) -> SeriesFile:
    """Read and verify one series file.

    Raises:
        SeriesError: The file is damaged anywhere but in a tail that a kill cut off.
    """
    with opened_regular(path, SeriesError) as file:
        return _Scan(path, file).read()


class _Scan:
    """Pass over a file, a block at a time.

    The rows of a block are checked and spread over the columns while the processor's cache holds
    them; reading the whole file first takes twice as long.
    """

    def __init__(self, path: Path, file: BufferedReader) -> None:
        self.path = path
        self.file = file
        self.size = os.fstat(file.fileno()).st_size
        _check_size(path, self.size)
        try:
            self.columns, self.offset = read_file_header(file)
        except FormatError as error:
            raise SeriesError(f"{path}: {error}") from None
        self.dtype = row_dtype(len(self.columns))
        most = (self.size - self.offset) // self.dtype.itemsize
        self.steps = np.empty(most, dtype=np.int64)
        self.clock = np.empty(most)
        self.values = np.empty((len(self.columns), most))
        self.buffer = memoryview(bytearray(BLOCK_ROWS * self.dtype.itemsize))

    def read(self) -> SeriesFile:
        """Read the blocks up to the end or a torn tail."""
        blocks: list[BlockHeader] = []
        rows = 0
        while block := self._next(len(blocks)):
            end = rows + block.rows
            table = np.frombuffer(self.buffer, self.dtype, block.rows)
            self.steps[rows:end] = table["step"]
            self.clock[rows:end] = block.start + table["clock"] / 1e3
            self.values[:, rows:end] = table["values"].T
            rows = end
            blocks.append(block)
        return SeriesFile(
            columns=self.columns,
            blocks=tuple(blocks),
            steps=self.steps[:rows],
            clock=self.clock[:rows],
            values=self.values[:, :rows],
            intact_bytes=self.offset,
            torn=self.offset < self.size,
        )

    def _next(self, number: int) -> BlockHeader | None:
        """Read the header of the next intact block, its rows into the buffer; None at the end.

        A kill leaves a prefix of the last block; a power cut may leave zeros, or a last block
        whose rows were not written. Only these count as a torn tail.
        """
        head = self.file.read(BLOCK_HEADER_BYTES)
        if len(head) < BLOCK_HEADER_BYTES or self.offset + len(head) > self.size:
            return None
        try:
            block = decode_block_header(head)
        except FormatError as error:
            if not any(head) and not any(self.file.read()):
                return None
            raise SeriesError(
                f"{self.path}: the header of block {number} at byte {self.offset} {error}; "
                "the file is damaged, restore it from a copy"
            ) from None
        if block.number != number:
            raise SeriesError(
                f"{self.path}: expected block {number} at byte {self.offset}, found "
                f"{block.number}; blocks are missing or doubled, restore it from a copy"
            )
        payload = self.buffer[: block.rows * self.dtype.itemsize]
        end = self.offset + BLOCK_HEADER_BYTES + len(payload)
        if end > self.size:  # cut, or written since the file was opened: there is no room for it
            return None
        if self.file.readinto(payload) < len(payload):
            return None
        if xxhash.xxh3_64_intdigest(payload) != block.checksum:
            if end >= self.size:
                return None
            raise SeriesError(
                f"{self.path}: the rows of block {number}, which ends at byte {end}, differ from "
                "their checksum; the file is damaged, restore it from a copy"
            )
        self.offset = end
        return block


def _check_size(path: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise SeriesError(
            f"{path}: {size:,} bytes, expected at most {MAX_BYTES:,} in all series of a run; "
            "record fewer quantities, or every tenth step"
        )


def _kept_before(file: SeriesFile, until: int | None) -> tuple[Ints, Floats, Floats]:
    """Steps, clock and values `[columns, n]` of kept rows; copied only where some are left out."""
    steps, clock, values = file.steps, file.clock, file.values
    kept = file.kept()
    if not kept.all():
        steps, clock, values = steps[kept], clock[kept], values[:, kept]
    if until is not None:
        end = int(np.searchsorted(steps, until))
        steps, clock, values = steps[:end], clock[:end], values[:, :end]
    return steps, clock, values


def _merged(parts: Sequence[_Rows]) -> Column:
    """Merge rows from several files into one column; of equal steps the one logged last stays."""
    if len(parts) == 1:
        return Column(parts[0].steps, parts[0].values, parts[0].clock)
    steps, clock, values = (np.concatenate(pieces) for pieces in zip(*parts, strict=True))
    order = np.lexsort((clock, steps))
    steps = steps[order]
    last = np.append(steps[1:] != steps[:-1], True)
    order = order[last]
    return Column(steps[last], values[order], clock[order])


def _restarts(files: Sequence[SeriesFile], until: int | None) -> tuple[int, ...]:
    first: dict[int, int] = {}
    for file in files:
        for block, row in zip(file.blocks, file.row_offsets().tolist(), strict=False):
            if block.rows:
                step = int(file.steps[row])
                first[block.session] = min(step, first.get(block.session, _NEVER))
    steps = [step for session, step in sorted(first.items())][1:]
    return tuple(step for step in steps if until is None or step < until)


def _all_rewinds(files: Sequence[SeriesFile], until: int | None) -> tuple[tuple[int, int], ...]:
    """Rewinds that any file shows; the same one shows in several, most of it in the fullest."""
    reached: dict[tuple[int, int, int], int] = {}
    for file in files:
        seen: dict[tuple[int, int], int] = defaultdict(int)
        for rewind in file.went_back():
            place = (rewind.session, rewind.target)
            key = (*place, seen[place])
            seen[place] += 1
            reached[key] = max(rewind.reached, reached.get(key, -1))
    return tuple(
        (last, target) for (_, target, _), last in reached.items() if until is None or last < until
    )
