"""Wire format of protocol buffers, as far as records of trainings need it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MOST_FIELDS = 1_000_000


class WireError(ValueError):
    """Bytes that are no message."""


class Field(NamedTuple):
    """Field of a message: where its content lies."""

    number: int
    wire: int
    start: int
    """First byte of the content: of the varint itself, or of what follows the length."""
    end: int
    """Byte after the content."""


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a varint.

    Args:
        data: Bytes that hold it.
        at: Its first byte.
        end: Byte after the message.

    Returns:
        Number without sign, under 2^64, and the byte after it.

    Raises:
        WireError: It does not end within the message, or is longer than ten bytes.

    >>> varint(bytes([0xAC, 0x02]), 0, 2)
    (300, 2)
    """
    value = shift = 0
    for place in range(at, min(at + 10, end)):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place + 1
        shift += 7
    raise WireError("a number does not end")


def fields(data: bytes, at: int, end: int) -> Iterator[Field]:
    """Iterate over the fields of a message, without copying what they hold.

    Args:
        data: Bytes that hold the message.
        at: Its first byte.
        end: Byte after it.

    Yields:
        Fields in the order of writing.

    Raises:
        WireError: The bytes are no message.

    >>> [(f.number, f.wire) for f in fields(bytes([0x08, 0x05, 0x12, 0x01, 0x61]), 0, 5)]
    [(1, 0), (2, 2)]
    """
    seen = 0
    while at < end:
        seen += 1
        if seen > _MOST_FIELDS:
            raise WireError("more fields than any message")
        key = data[at]
        key, at = (key, at + 1) if key < 0x80 else varint(data, at, end)
        number, wire, start = key >> 3, key & 7, at
        if wire == VARINT:
            at = varint(data, at, end)[1]
        elif wire == FIXED64:
            at += 8
        elif wire == FIXED32:
            at += 4
        elif wire == BYTES:
            length = data[at] if at < end else 0x80
            length, start = (length, at + 1) if length < 0x80 else varint(data, at, end)
            at = start + length
        else:
            raise WireError(f"wire type {wire} is not in use")
        if at > end or number == 0:
            raise WireError("a field goes beyond its message")
        yield Field(number, wire, start, at)


def text(data: bytes, field: Field) -> str:
    """Read a field of text; bytes that are no UTF-8 are replaced."""
    return data[field.start : field.end].decode("utf-8", errors="replace")


def signed(data: bytes, field: Field) -> int:
    """Read a varint field that has a sign."""
    value = varint(data, field.start, field.end)[0]
    return value - 2**64 if value >= 2**63 else value


def double(data: bytes, field: Field) -> float:
    """Read a field of eight bytes as a double."""
    return float(struct.unpack_from("<d", data, field.start)[0])
