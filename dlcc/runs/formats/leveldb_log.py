"""Log of LevelDB, as wandb keeps the records of a run in it, found again after damage."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from dlcc.errors import RunError
from dlcc.runs.files import opened_regular

HEAD = b":W&B"
_FILE_HEADER = 7
_BLOCK = 32768
_HEADER = 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_SEEDS = {kind: zlib.crc32(bytes([kind])) for kind in (_FULL, _FIRST, _MIDDLE, _LAST)}
_LONGEST = 1 << 26


@dataclass
class LogRecords:
    """Records of one log, read once, and what had to be left out."""

    path: Path
    notes: list[str] = field(default_factory=list)
    _damages: int = 0
    _torn: int | None = None

    def __iter__(self) -> Iterator[bytes]:
        """Iterate over the records that are whole.

        Raises:
            RunError: The file cannot be read.
        """
        with opened_regular(self.path, RunError) as stream:
            parts: list[bytes] = []
            size = 0
            for kind, part in self._parts(stream):
                if kind in (_FULL, _FIRST):
                    parts, size = [], 0
                elif not parts:  # its beginning is lost
                    continue
                parts.append(part)
                size += len(part)
                if not kind or size > _LONGEST:
                    parts = []
                elif kind in (_FULL, _LAST):
                    yield b"".join(parts)
                    parts = []
        if self._damages > 3:
            self.notes.append(f"{self.path}: {self._damages:,} damaged places in all")
        if self._torn is not None:
            self.notes.append(
                f"{self.path}: ends within the record that begins at byte {self._torn:,}, which is "
                "left out"
            )

    def _parts(self, stream: BufferedReader) -> Iterator[tuple[int, bytes]]:
        """Kind and content of each part of a record; kind 0 where something is lost."""
        total = os.fstat(stream.fileno()).st_size
        place = 0
        while place < total and (block := stream.read(_BLOCK)):
            at = _FILE_HEADER if place == 0 else 0
            while len(block) - at >= _HEADER:
                length, kind = int.from_bytes(block[at + 4 : at + 6], "little"), block[at + 6]
                end = at + _HEADER + length
                if not any(block[at : at + _HEADER]):  # the block is filled up
                    break
                if _is_whole(block, at):
                    yield kind, block[at + _HEADER : end]
                    at = end
                    continue
                if end > len(block) and len(block) < _BLOCK and kind in _SEEDS:
                    self._torn = place + at
                    yield 0, b""
                    break
                yield 0, b""
                goes_on = _is_whole(block, end)
                self._say(place + at, place + (end if goes_on else len(block)))
                if not goes_on:
                    break
                at = end
            else:
                if len(block) < _BLOCK and at < len(block):
                    self._torn = place + at
            place += len(block)

    def _say(self, start: int, end: int) -> None:
        self._damages += 1
        if self._damages <= 3:
            self.notes.append(
                f"{self.path}: byte {start:,}: damaged record, left out to byte {end:,}"
            )


def _is_whole(block: bytes, at: int) -> bool:
    """Whether a part lies at a byte of a block whose checksum fits."""
    if at + _HEADER > len(block) or block[at + 6] not in _SEEDS:
        return False
    length = int.from_bytes(block[at + 4 : at + 6], "little")
    part = block[at + _HEADER : at + _HEADER + length]
    stated = int.from_bytes(block[at : at + 4], "little")
    return len(part) == length and zlib.crc32(part, _SEEDS[block[at + 6]]) == stated
