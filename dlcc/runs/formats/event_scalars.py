"""Scalars of TensorBoard events: the layout of one record is learnt, its like are read at once."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dlcc.runs.formats import crc32c
from dlcc.runs.formats.event_layout import Layout, NumberPlace, hparams_of, layout_of
from dlcc.runs.formats.event_records import Block, EventRecords
from dlcc.runs.formats.protobuf import VARINT, Field, signed
from dlcc.runs.formats.scalar_rows import MOST_NAMES, Scalars
from dlcc.runs.raw_table import Scalar
from dlcc.typing import Bools, Floats, Ints

_SHORT = 1024
"""Bytes up to which the checksums of payloads are computed together, before they are parsed."""
_FEW = 8  # records of one layout for which it does not pay to read them at once
_MOST_LAYOUTS = 64
_MOST_SINGLES = 500_000
_KEYS = np.random.default_rng(0).integers(1, 2**63, 1 << 12, dtype=np.uint64) * np.uint64(2) + (
    np.uint64(1)
)


@dataclass
class EventScalars:
    """Scalars of one file in the order of writing."""

    tags: dict[bytes, int] = field(default_factory=dict)
    begun: list[int] = field(default_factory=list)
    """Records at which a session began."""
    hparams: dict[str, Scalar] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    numbers: int = 0
    _parts: list[tuple[Ints, Scalars]] = field(default_factory=list)
    _records: int = 0
    _singles: int = 0
    _damaged: int = 0
    _first_damaged: int = 0

    def take(self, records: EventRecords) -> None:
        """Take in all records of a file.

        Raises:
            RunError: The file cannot be read.
        """
        for block in records:
            self._take_block(block)
        self.notes += records.notes
        if self._singles > _MOST_SINGLES:
            self.notes.append(
                f"{records.path}: more than {_MOST_SINGLES:,} records that are no plain scalars; "
                "those after them are left out"
            )
        if self._damaged:
            self.notes.append(
                f"{records.path}: byte {self._first_damaged:,}: damaged record (its checksum does "
                f"not fit); {self._damaged:,} such records are left out"
            )

    def _take_block(self, block: Block) -> None:
        buffer = np.frombuffer(block.data, dtype=np.uint8)
        lengths = block.lengths
        by_length = np.argsort(lengths, kind="stable")
        bounds = np.flatnonzero(np.diff(lengths[by_length])) + 1
        for group in np.split(by_length, bounds):
            length = int(lengths[group[0]])
            if length < 9:  # less than the time that every event has
                continue
            if length > _SHORT:
                for at in group.tolist():
                    self._take_one(block, at, checked=False)
                continue
            good = crc32c.fit(buffer, block.starts[group], length)
            for at in group[~good].tolist():
                self._say_damaged(block, at)
            self._take_alike(block, buffer, group[good], length)
        self._records += len(lengths)

    def _take_alike(
        self, block: Block, buffer: NDArray[np.uint8], group: Ints, length: int
    ) -> None:
        """Take in whole records of one length, layout by layout."""
        windows = sliding_window_view(buffer, length)
        for _ in range(_MOST_LAYOUTS):
            if len(group) < _FEW:
                break
            start = int(block.starts[group[0]])
            layout = layout_of(block.data, start, start + length)
            if layout is None or not layout.fixed:
                self._take_one(block, int(group[0]), checked=True)
                group = group[1:]
                continue
            rows = windows[block.starts[group]]
            like = _like(rows, layout)
            self._take_rows(rows[like] if not like.all() else rows, group[like], layout)
            group = group[~like]
        for at in group.tolist():
            self._take_one(block, at, checked=True)

    def _take_rows(self, rows: NDArray[np.uint8], group: Ints, layout: Layout) -> None:
        """Take in records [n, length] of one layout."""
        wall = _column(rows, layout.wall, "<f8")
        step = _steps(rows, layout.step)
        for number in layout.numbers:
            low, high = number.tag
            texts = rows[:, low:high]
            sums = (texts.astype(np.uint64) * _KEYS[: high - low]).sum(axis=1, dtype=np.uint64)
            _, first, which = np.unique(sums, return_index=True, return_inverse=True)
            known = np.array([self._tag(texts[at].tobytes()) for at in first], dtype=np.int64)
            value = _column(rows, number.value[0], number.kind)
            self._add(group + self._records, Scalars(known[which], step, wall, value))

    def _take_one(self, block: Block, at: int, checked: bool) -> None:
        """Take in one record."""
        self._singles += 1
        if self._singles > _MOST_SINGLES:
            return
        start = int(block.starts[at])
        end = start + int(block.lengths[at])
        layout = layout_of(block.data, start, end)
        if layout is None or not (layout.numbers or layout.starts or layout.hparams):
            return
        payload = block.data[start:end]
        if not checked:
            stated = int.from_bytes(block.data[end : end + 4], "little")
            if crc32c.masked(payload) != stated:
                self._say_damaged(block, at)
                return
        place = self._records + at
        if layout.starts:
            self.begun.append(place)
        if layout.hparams is not None:
            self.hparams |= dict(hparams_of(payload, *layout.hparams))
        step = 0
        if layout.step is not None:
            step = signed(payload, Field(2, VARINT, *layout.step))
        wall = np.nan if layout.wall is None else struct.unpack_from("<d", payload, layout.wall)[0]
        for number in layout.numbers:
            tag = self._tag(payload[slice(*number.tag)])
            value = _single(payload, number)
            one = Scalars(np.array([tag]), np.array([step]), np.array([wall]), np.array([value]))
            self._add(np.array([place]), one)

    def _add(self, records: Ints, scalars: Scalars) -> None:
        kept = (scalars.tag >= 0) & (scalars.step >= 0) & (scalars.step < 2**53)
        if not kept.all():
            records, scalars = records[kept], scalars.at(kept)
        self._parts.append((records, scalars))
        self.numbers += len(records)

    def in_order(self) -> tuple[Scalars, tuple[int, ...]]:
        """Put the scalars into the order of writing.

        Returns:
            Scalars, and the places in them at which a session began.
        """
        records = np.concatenate([part[0] for part in self._parts])
        scalars = Scalars.joined([part[1] for part in self._parts])
        order = np.argsort(records, kind="stable")
        begun = np.searchsorted(records[order], sorted(self.begun))
        return scalars.at(order), tuple(begun.tolist())

    def _tag(self, name: bytes) -> int:
        """Number of a tag; -1 for those beyond what any run has."""
        if name not in self.tags and len(self.tags) >= MOST_NAMES:
            return -1
        return self.tags.setdefault(name, len(self.tags))

    def _say_damaged(self, block: Block, at: int) -> None:
        place = block.place + int(block.starts[at])
        self._first_damaged = min(self._first_damaged, place) if self._damaged else place
        self._damaged += 1


def tags_in(head: bytes) -> tuple[set[str], bool]:
    """Find the tags of scalars in the beginning of an event file.

    Args:
        head: First bytes of the file.

    Returns:
        Tags, and whether the file holds hyperparameters. Checksums are not looked at.
    """
    found: set[str] = set()
    at, hparams = 0, False
    for _ in range(400):
        length = int.from_bytes(head[at : at + 8], "little")
        start = at + 12
        at = start + length + 4
        if at > len(head):
            break
        layout = layout_of(head, start, start + length)
        if layout is not None:
            hparams |= layout.hparams is not None
            for number in layout.numbers:
                low, high = number.tag
                found.add(head[start + low : start + high].decode("utf-8", errors="replace"))
    return found, hparams


def _like(rows: NDArray[np.uint8], layout: Layout) -> Bools:
    """Whether each record [n, length] differs from the first in numbers and tags alone."""
    same = np.ones(rows.shape[1], dtype=np.bool_)
    for low, high in _free(layout):
        same[low:high] = False
    like: Bools = (rows[:, same] == rows[0, same]).all(axis=1)
    if layout.step is not None:
        low, high = layout.step
        like &= ((rows[:, low:high] ^ rows[0, low:high]) < 0x80).all(axis=1)
    return like


def _free(layout: Layout) -> Iterator[tuple[int, int]]:
    """Stretches of a record that differ from one to the next of its kind."""
    if layout.wall is not None:
        yield layout.wall, layout.wall + 8
    if layout.step is not None:
        yield layout.step
    for number in layout.numbers:
        yield number.tag
        yield number.value


def _column(rows: NDArray[np.uint8], at: int | None, kind: str) -> Floats:
    if at is None:
        return np.full(len(rows), np.nan)
    width = np.dtype(kind).itemsize
    raw = np.ascontiguousarray(rows[:, at : at + width]).view(kind)[:, 0]
    return raw.astype(np.float64)


def _steps(rows: NDArray[np.uint8], place: tuple[int, int] | None) -> Ints:
    found = np.zeros(len(rows), dtype=np.uint64)
    for shift, at in enumerate(range(*place) if place is not None else ()):
        found |= (rows[:, at] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * shift)
    return found.view(np.int64)


def _single(payload: bytes, number: NumberPlace) -> float:
    low, high = number.value
    if number.kind == "varint":
        return float(signed(payload, Field(0, VARINT, low, high)))
    if number.kind == "half":
        bits = signed(payload, Field(0, VARINT, low, high)) & 0xFFFF
        return float(struct.unpack("<e", bits.to_bytes(2, "little"))[0])
    return float(np.frombuffer(payload, dtype=number.kind, count=1, offset=low)[0])
