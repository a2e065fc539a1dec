"""Layout of a TensorBoard event: where its time, its step and its scalars lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dlcc.runs.formats.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    Field,
    WireError,
    double,
    fields,
    signed,
    text,
)
from dlcc.runs.raw_table import Scalar

_TENSORS = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}
_LISTS = {5: "<f4", 6: "<f8"}
_VARINTS = (7, 10)
_HALVES = 13
_LONGEST_TAG = 4096
_MOST_HPARAMS = 2_000


@dataclass(frozen=True)
class NumberPlace:
    """Scalar of an event: where its tag and its value lie."""

    tag: tuple[int, int]
    value: tuple[int, int]
    kind: str
    """Type of the value as numpy writes it; `varint` and `half` for those of varying length."""


@dataclass(frozen=True)
class Layout:
    """Places of what an event holds, counted from the first byte of `data` that was parsed."""

    wall: int | None
    step: tuple[int, int] | None
    numbers: tuple[NumberPlace, ...]
    starts: bool
    """Whether it says that a session began."""
    hparams: tuple[int, int] | None = None

    @property
    def fixed(self) -> bool:
        """Whether records of the same bytes in between can be read at once."""
        plain = all(n.kind not in ("varint", "half") for n in self.numbers)
        return plain and not self.starts and self.hparams is None


def layout_of(data: bytes, start: int, end: int) -> Layout | None:
    """Layout of the event at `start`; None where the bytes are none."""
    wall: int | None = None
    step: tuple[int, int] | None = None
    numbers: list[NumberPlace] = []
    starts, hparams = False, None
    try:
        for f in fields(data, start, end):
            if f.number == 1 and f.wire == FIXED64:
                wall = f.start - start
            elif f.number == 2 and f.wire == VARINT:
                step = (f.start - start, f.end - start)
            elif f.number == 5 and f.wire == BYTES:
                for value in fields(data, f.start, f.end):
                    if value.number == 1 and value.wire == BYTES:
                        number, own = _value(data, value, start)
                        hparams = own or hparams
                        if number is not None:
                            numbers.append(number)
            elif f.number == 7 and f.wire == BYTES:
                starts |= _says_start(data, f)
    except WireError:
        return None
    return Layout(wall, step, tuple(numbers), starts, hparams)


def _says_start(data: bytes, log: Field) -> bool:
    """Whether a SessionLog has the status START."""
    return any(
        f.number == 1 and f.wire == VARINT and signed(data, f) == 1
        for f in fields(data, log.start, log.end)
    )


def _value(
    data: bytes, value: Field, base: int
) -> tuple[NumberPlace | None, tuple[int, int] | None]:
    """Scalar of a Summary.Value, or the place of the hyperparameters in it."""
    tag: tuple[int, int] | None = None
    number: tuple[tuple[int, int], str] | None = None
    plugin, content = "", None
    for f in fields(data, value.start, value.end):
        if f.number == 1 and f.wire == BYTES:
            tag = (f.start - base, f.end - base)
        elif f.number == 2 and f.wire == FIXED32:
            number = ((f.start - base, f.end - base), "<f4")
        elif f.number == 8 and f.wire == BYTES:
            number = _tensor(data, f, base)
        elif f.number == 9 and f.wire == BYTES:
            plugin, content = _plugin(data, f)
    if plugin == "hparams":
        return None, None if content is None else (content[0] - base, content[1] - base)
    if (
        tag is None
        or number is None
        or plugin not in ("", "scalars")
        or tag[1] - tag[0] > _LONGEST_TAG
    ):
        return None, None
    return NumberPlace(tag, *number), None


def _plugin(data: bytes, metadata: Field) -> tuple[str, tuple[int, int] | None]:
    """Name of the plug-in that a value is for, and the place of its content."""
    name, content = "", None
    for outer in fields(data, metadata.start, metadata.end):
        if outer.number != 1 or outer.wire != BYTES:
            continue
        for f in fields(data, outer.start, outer.end):
            if f.number == 1 and f.wire == BYTES:
                name = text(data, f)
            elif f.number == 2 and f.wire == BYTES:
                content = (f.start, f.end)
    return name, content


def _tensor(data: bytes, tensor: Field, base: int) -> tuple[tuple[int, int], str] | None:
    """Place and kind of the one number of a TensorProto; None where it holds another count."""
    dtype = 0
    found: list[tuple[tuple[int, int], str]] = []
    content: Field | None = None
    for f in fields(data, tensor.start, tensor.end):
        span = (f.start - base, f.end - base)
        if f.number == 1 and f.wire == VARINT:
            dtype = signed(data, f)
        elif f.number == 4 and f.wire == BYTES:
            content = f
        elif f.number in _LISTS:
            kind = _LISTS[f.number]
            if f.end - f.start == np.dtype(kind).itemsize:
                found.append((span, kind))
        elif f.number in _VARINTS or f.number == _HALVES:
            found.append((span, "half" if f.number == _HALVES else "varint"))
    if len(found) == 1:
        return found[0]
    kind = _TENSORS.get(dtype, "")
    if found or content is None or not kind:
        return None
    if content.end - content.start == np.dtype(kind).itemsize:
        return (content.start - base, content.end - base), kind
    return None


def hparams_of(payload: bytes, start: int, end: int) -> Iterator[tuple[str, Scalar]]:
    """Hyperparameters of the plug-in's SessionStartInfo."""
    seen = 0
    try:
        for outer in fields(payload, start, end):
            if outer.number != 3 or outer.wire != BYTES:
                continue
            for entry in fields(payload, outer.start, outer.end):
                seen += 1
                if entry.number == 1 and entry.wire == BYTES and seen <= _MOST_HPARAMS:
                    yield _hparam(payload, entry)
    except WireError:
        return


def _hparam(payload: bytes, entry: Field) -> tuple[str, Scalar]:
    name, value = "", None
    for f in fields(payload, entry.start, entry.end):
        if f.number == 1 and f.wire == BYTES:
            name = text(payload, f)[:200]
        elif f.number == 2 and f.wire == BYTES:
            value = _any(payload, f)
    return name, value


def _any(payload: bytes, field_: Field) -> Scalar:
    """Plain value of a google.protobuf.Value."""
    for f in fields(payload, field_.start, field_.end):
        if f.number == 2 and f.wire == FIXED64:
            number = double(payload, f)
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        if f.number == 3 and f.wire == BYTES:
            return text(payload, f)[:1_000]
        if f.number == 4 and f.wire == VARINT:
            return bool(signed(payload, f))
    return None
