"""Records of a TensorBoard event file (TFRecord framing), found again after damage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dlcc.errors import RunError
from dlcc.runs.files import opened_regular
from dlcc.runs.formats.crc32c import masked
from dlcc.typing import Ints

HEADER = 12
"""Bytes before a payload: its length, and the checksum of that."""
FRAME = 16
"""Bytes of a record beside its payload."""
_BLOCK = 1 << 24
_WINDOW = 1 << 18  # how far beyond damage the next whole record is looked for
_MOST_DAMAGES = 200
_MOST_KNOWN = 1 << 16
_MOST_TRIES = 2_000
_LONGEST_RECALLED = 4096  # bytes of the records that are looked for after damage


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
        known, last = self._known, len(data) - HEADER
        places, at = [0], 0
        while at <= last:
            try:
                while at <= last:
                    at += known[data[at : at + HEADER]]
                    places.append(at)
            except KeyError:
                header = data[at : at + HEADER]
                length = stated_length(header)
                if length is None:
                    break
                if len(known) >= _MOST_KNOWN:
                    known.clear()
                known[header] = FRAME + length
        if places[-1] > len(data):
            places.pop()
        bounds = np.array(places, dtype=np.int64)
        return Block(data, place, bounds[:-1] + HEADER, np.diff(bounds) - FRAME), int(bounds[-1])

    def _over_damage(self, data: bytes, at: int, place: int) -> int:
        """Bytes from a damaged header to the next record that is whole; gives up without one."""
        self._damages += 1
        skip = self._next_whole(data[at : at + _WINDOW + HEADER])
        if self._damages >= _MOST_DAMAGES:
            skip = 0
        if self._damages <= 3 or not skip:
            what = f"left out to byte {place + at + skip:,}" if skip else "the rest is left out"
            self.notes.append(f"{self.path}: byte {place + at:,}: damaged record, {what}")
        self._given_up = not skip
        return skip

    def _next_whole(self, window: bytes) -> int:
        """First byte of the next record whose header was seen before and whose payload fits."""
        found = len(window)
        for header, size in self._known.items():
            length = size - FRAME
            if length > _LONGEST_RECALLED:
                continue
            at = window.find(header, 1, found)
            while at >= 0 and self._tries < _MOST_TRIES:
                self._tries += 1
                crc = at + HEADER + length
                stated = int.from_bytes(window[crc : crc + 4], "little")
                if masked(window[at + HEADER : crc]) == stated:
                    found = at
                    break
                at = window.find(header, at + 1, found)
        return found if found < len(window) else 0

    def _say_torn(self, place: int, size: int) -> None:
        self.notes.append(
            f"{self.path}: ends within the record that begins at byte {place:,}, which is left out "
            f"({size - place:,} bytes)"
        )
