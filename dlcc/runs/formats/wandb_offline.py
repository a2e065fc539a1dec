"""Runs that Weights & Biases recorded offline: the file run-ID.wandb and what lies beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from dlcc.errors import RunError
from dlcc.runs.formats.json_lines import JsonRows
from dlcc.runs.formats.leveldb_log import HEAD, LogRecords
from dlcc.runs.formats.protobuf import BYTES, VARINT, Field, WireError, double, fields, signed, text
from dlcc.runs.formats.reader import FoundRecord, Listing, Reader
from dlcc.runs.raw_table import RawTable, Scalar, flat

_HISTORY, _CONFIG, _RUN, _EXIT = 2, 5, 17, 18
_LONGEST_JSON = 1 << 16
_OWN = ("_runtime", "_wandb", "_timestamp")
_MOST_ITEMS = 20_000
_NAMES = (0x0A, 0x12)  # bytes before a name, nested or not
_JSON = b"\x82\x01"  # bytes before the length of a value in JSON


class WandbOffline(Reader):
    """Reader of the log of one offline run of wandb."""

    title: ClassVar = "wandb offline run"
    rank: ClassVar = 12

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        for file in listing.files:
            if file.head.startswith(HEAD):
                its = {file.path.parent / "files", file.path.parent / "logs"}
                beside = [f.path for f in listing.files if its & {*f.path.parents}]
                yield FoundRecord(self, file.path.parent, (file.path, *beside))

    def read(self, record: FoundRecord) -> RawTable:
        path = record.files[0]
        log = LogRecords(path)
        rows = _Rows()
        for data in log:
            rows.take(data)
        if not rows.exited:
            log.notes.append(f"{path}: the run's end is not recorded: it goes on, or was killed")
        try:
            made = rows.table.table(self.title, (path,), (*log.notes, *rows.notes(path)))
        except RunError:
            said = f" ({log.notes[0]})" if log.notes else ""
            raise RunError(
                f"{path}: no number in {rows.table.rows:,} rows of history{said}; log losses with "
                "wandb.log, or name another run"
            ) from None
        return _with_steps(made, rows.config)


class _Rows:
    """Rows of the history, and the configuration."""

    def __init__(self) -> None:
        self.table = JsonRows()
        self.config: dict[str, Scalar] = {}
        self.exited = False
        self.broken = 0

    def take(self, data: bytes) -> None:
        """Take in one record."""
        try:
            for f in fields(data, 0, len(data)):
                if f.wire != BYTES:
                    continue
                if f.number == _HISTORY:
                    self.table.add(dict(_history(data, f)), self.table.rows)
                elif f.number == _CONFIG:
                    self._take_config(data, f)
                elif f.number == _RUN:
                    for inner in fields(data, f.start, f.end):
                        if inner.number == 4 and inner.wire == BYTES:
                            self._take_config(data, inner)
                elif f.number == _EXIT:
                    self.exited = True
        except WireError:
            self.broken += 1

    def _take_config(self, data: bytes, config: Field) -> None:
        found = {name: value for name, value in _items(data, config) if name not in _OWN}
        self.config |= flat(found)

    def notes(self, path: object) -> tuple[str, ...]:
        """Sentences on records that are no messages."""
        if not self.broken:
            return ()
        return (f"{path}: {self.broken:,} records are no messages of wandb and are left out",)


def _history(data: bytes, history: Field) -> Iterator[tuple[str, Any]]:
    """Values of one row by name; pictures, histograms and texts are left out."""
    items = dict(_items(data, history))
    media = tuple(name.removesuffix("_type") for name in items if name.endswith("/_type"))
    for name, value in items.items():
        if isinstance(value, dict) and "_type" in value:
            continue
        if name != "_runtime" and not (media and name.startswith(media)):
            yield name, value
    if "_step" in items:
        return
    for f in fields(data, history.start, history.end):
        if f.number == 2 and f.wire == BYTES:
            numbers = [signed(data, i) for i in fields(data, f.start, f.end) if i.number == 1]
            yield "_step", numbers[0] if numbers else 0


def _items(data: bytes, message: Field) -> Iterator[tuple[str, Any]]:
    """Items of a message that holds a list of them as its first field."""
    seen = 0
    for f in fields(data, message.start, message.end):
        if f.number == 1 and f.wire == BYTES:
            seen += 1
            if seen > _MOST_ITEMS:
                return
            item = _item(data, f)
            if item is not None:
                yield item


def _item(data: bytes, item: Field) -> tuple[str, Any] | None:
    """Name and value of an item; None for what is no number, text or short JSON."""
    usual = _usual_item(data[item.start : item.end])
    if usual is not None:
        return usual
    name, nested, value, there = "", [], None, False
    for f in fields(data, item.start, item.end):
        if f.wire == BYTES and f.number == 1:
            name = text(data, f)
        elif f.wire == BYTES and f.number == 2:
            nested.append(text(data, f))
        else:
            there, value = _value(data, f)
    name = name or "/".join(nested)
    return (name, value) if there and name else None


def _usual_item(item: bytes) -> tuple[str, float] | None:
    """Name and number of an item that is a short name and a short text of JSON, as most are."""
    if len(item) < 6 or item[0] not in _NAMES or item[1] >= 0x80:
        return None
    end = 2 + item[1]
    if item[end : end + 2] != _JSON or len(item) < end + 3 or item[end + 2] != len(item) - end - 3:
        return None
    try:
        return item[2:end].decode(), float(item[end + 3 :])
    except ValueError:
        return None


def _value(data: bytes, f: Field) -> tuple[bool, Any]:
    """Whether a field holds a value that can be read, and the value."""
    if f.number in (8, 16) and f.wire == BYTES and f.end - f.start <= _LONGEST_JSON:
        return _of_json(data[f.start : f.end])
    if f.number == 5 and f.wire == VARINT:  # a zigzag number
        raw = signed(data, f) & (2**64 - 1)
        return True, raw >> 1 ^ -(raw & 1)
    if f.number == 6 and f.wire == 1:
        return True, double(data, f)
    if f.number == 7 and f.wire == BYTES:
        return True, text(data, f)
    if f.number == 4 and f.wire == VARINT:
        return True, bool(signed(data, f))
    return False, None


def _of_json(raw: bytes) -> tuple[bool, Any]:
    try:
        return True, json.loads(raw)
    except (ValueError, RecursionError):
        return False, None


def _with_steps(made: RawTable, config: dict[str, Scalar]) -> RawTable:
    """Table whose steps are those of wandb."""
    columns = dict(made.columns)
    own = columns.pop("_step", None)
    steps = None
    if own is not None and len(own.rows) == made.rows and np.all(np.abs(own.values) < 2**53):
        steps = own.values.astype(np.int64)
    columns = columns if columns else dict(made.columns)
    return replace(made, columns=columns, steps=steps, places=None, config=config)
