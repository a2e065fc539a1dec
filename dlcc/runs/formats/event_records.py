"""Records of a TensorBoard event file (TFRecord framing), found again after damage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dlcc.errors import RunError
from dlcc.runs.files import opened_regular
from dlcc.runs.formats.crc32c import fit, masked
from dlcc.typing import Ints

HEADER = 12
"""Bytes before a payload: its length, and the checksum of that."""
FRAME = 16
"""Bytes of a record beside its payload."""
_BLOCK = 1 << 24
_WINDOW = 1 << 18  # how far beyond damage the next whole record is looked for
_MOST_DAMAGES = 200
_STRETCH = 1024  # records that are walked before it is tried to foresee more
_LONGEST_PERIOD = 129
_MOST_FORESEEN = 1 << 16
_MOST_VAIN = 8
_MOST_KNOWN = 1 << 16
_NEAR = 1 << 10  # ... and at first
_MOST_TRIES = 20_000  # of 4 KiB each


@dataclass(frozen=True)
class Block:
    """Records that lie whole in one stretch of a file."""

    data: bytes
    place: int
    """Byte of the file at which the stretch begins."""
    starts: Ints
    """First byte [n] of each payload within the stretch."""
    lengths: Ints
    """Bytes [n] of each payload."""


def stated_length(header: bytes) -> int | None:
    """Read the length that a record states.

    Args:
        header: First twelve bytes of the record.

    Returns:
        Bytes of its payload; None where the checksum of the length does not fit.

    >>> stated_length(bytes.fromhex("1800000000000000a37f4b22"))
    24
    """
    if len(header) < HEADER or masked(header[:8]) != int.from_bytes(header[8:12], "little"):
        return None
    return int.from_bytes(header[:8], "little")


@dataclass
class EventRecords:
    """Records of one file, read once, and what had to be left out."""

    path: Path
    notes: list[str] = field(default_factory=list)
    _known: dict[bytes, int] = field(default_factory=dict)
    """Bytes of a whole record by its header."""
    _damages: int = 0
    _tries: int = 0
    _vain: int = 0
    _given_up: bool = False

    def __iter__(self) -> Iterator[Block]:
        """Iterate over stretches of the file.

        Raises:
            RunError: The file cannot be read.
        """
        with opened_regular(self.path, RunError) as stream:
            size = os.fstat(stream.fileno()).st_size
            data, place = b"", 0
            while place + len(data) < size:
                data += stream.read(min(_BLOCK, size - place - len(data)))
                while True:
                    block, at = self._whole(data, place)
                    if len(block.starts):
                        yield block
                    skip = self._skip(data, at, place, size)
                    data, place = data[at + skip :], place + at + skip
                    if self._given_up or not skip:
                        break
                    stream.seek(place + len(data))
                if self._given_up:
                    return
            if data:
                self._say_torn(place, size)

    def _skip(self, data: bytes, at: int, place: int, size: int) -> int:
        """Bytes to pass over at `at`, where no whole record begins; 0 where more must be read."""
        if len(data) - at < HEADER:
            return 0
        length = stated_length(data[at : at + HEADER])
        if length is None:
            if len(data) - at < _WINDOW and place + len(data) < size:
                return 0
            return self._over_damage(data, at, place)
        if place + at + FRAME + length > size:
            self._say_torn(place + at, size)
            self._given_up = True
            return 0
        return FRAME + length if FRAME + length > _BLOCK else 0

    def _whole(self, data: bytes, place: int) -> tuple[Block, int]:
        """Records that lie whole in `data`, and the byte at which the next one begins."""
        ends: list[Ints] = [np.zeros(1, dtype=np.int64)]
        at = 0
        while walked := self._walked(data, at):
            bounds = np.array([at, *walked], dtype=np.int64)
            ends += [bounds[1:], self._foreseen(data, bounds)]
            at = int(ends[-1][-1]) if len(ends[-1]) else walked[-1]
        bounds = np.concatenate(ends)
        return Block(data, place, bounds[:-1] + HEADER, np.diff(bounds) - FRAME), at

    def _walked(self, data: bytes, at: int) -> list[int]:
        """Ends of the whole records from `at` on, one by one, at most a stretch of them."""
        known, last = self._known, len(data) - HEADER
        ends: list[int] = []
        while at <= last and len(ends) < _STRETCH:
            try:
                for _ in range(_STRETCH):
                    at += known[data[at : at + HEADER]]
                    ends.append(at)
                    if at > last:
                        break
            except KeyError:
                header = data[at : at + HEADER]
                length = stated_length(header)
                if length is None:
                    break
                if len(known) >= _MOST_KNOWN:
                    known.clear()
                known[header] = FRAME + length
        if ends and ends[-1] > len(data):
            ends.pop()
        return ends

    def _foreseen(self, data: bytes, bounds: Ints) -> Ints:
        """Ends of records that follow those within `bounds` with the same lengths in turns.

        Every header is compared, so that no record is taken for one that is not there.
        """
        sizes = np.diff(bounds)
        if len(sizes) < _STRETCH or self._vain > _MOST_VAIN:
            return bounds[:0]
        tail = sizes[-_STRETCH // 2 :]
        period = next((p for p in range(1, _LONGEST_PERIOD) if (tail[p:] == tail[:-p]).all()), None)
        if period is None:
            self._vain += 1
            return bounds[:0]
        buffer = np.frombuffer(data, dtype=np.uint8)
        turn = np.cumsum(sizes[-period:])
        turns = min((len(data) - int(bounds[-1])) // int(turn[-1]), _MOST_FORESEEN // period)
        if turns < 1:
            return bounds[:0]
        ends: Ints = (bounds[-1] + np.arange(turns)[:, None] * turn[-1] + turn).ravel()
        starts = np.append(bounds[-1], ends[:-1])
        headers = sliding_window_view(buffer, HEADER)
        model = headers[bounds[-period - 1 : -1]]
        same = (headers[starts].reshape(turns, period, HEADER) == model).all(axis=2).ravel()
        return ends if same.all() else ends[: int(np.argmin(same))]

    def _over_damage(self, data: bytes, at: int, place: int) -> int:
        """Bytes from a damaged header to the next record that is whole; gives up without one."""
        self._damages += 1
        skip = self._next_whole(data, at)
        if self._damages >= _MOST_DAMAGES:
            skip = 0
        if self._damages <= 3 or not skip:
            what = f"left out to byte {place + at + skip:,}" if skip else "the rest is left out"
            self.notes.append(f"{self.path}: byte {place + at:,}: damaged record, {what}")
        self._given_up = not skip
        return skip

    def _next_whole(self, data: bytes, at: int) -> int:
        """Bytes from `at` to the next record whose checksums fit; 0 where none follows soon."""
        buffer = np.frombuffer(data, dtype=np.uint8)
        begin = at + 1
        for window in (_NEAR, _WINDOW):
            places = np.arange(begin, min(at + window, len(data) - FRAME))
            for place in places[fit(buffer, places, 8)].tolist():
                start = place + HEADER
                end = start + int.from_bytes(data[place : place + 8], "little")
                self._tries += 1 + (end - start) // 4096
                if end + 4 > len(data) or self._tries > _MOST_TRIES:
                    continue
                if masked(data[start:end]) == int.from_bytes(data[end : end + 4], "little"):
                    return int(place) - at
            begin = at + window
        return 0

    def _say_torn(self, place: int, size: int) -> None:
        self.notes.append(
            f"{self.path}: ends within the record that begins at byte {place:,}, which is left out "
            f"({size - place:,} bytes)"
        )
