"""Masked CRC-32C of many records at once, as TFRecord files carry it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dlcc.typing import Bools, Ints

_POLYNOMIAL = np.uint32(0x82F6_3B78)
_MASK_DELTA = np.uint32(0xA282_EAD8)
_CHUNK = 1024
_SHORT = 256  # bytes up to which a loop is faster
_TOGETHER = 1 << 13
"""Rows at once: what is in work stays within the processor's cache."""

Words = NDArray[np.uint32]


def _table() -> Words:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ np.where(table & np.uint32(1), _POLYNOMIAL, np.uint32(0))
    return table.astype(np.uint32)


_BYTE = _table()
_BYTES: list[int] = _BYTE.tolist()
_PAIR = (
    _BYTE[_BYTE[np.arange(65536) & 0xFF] & np.uint32(0xFF)]
    ^ (_BYTE[np.arange(65536) & 0xFF] >> np.uint32(8))
    ^ _BYTE[np.arange(65536) >> 8]
)
"""Remainder of two bytes, the first of which is the low one."""
_LOW = np.uint32(0xFFFF)
_SIXTEEN = np.uint32(16)


def _remainders(rows: NDArray[np.uint8]) -> Words:
    """Remainder [n] of each row [n, even width], begun at 0: zeros in front change nothing."""
    pairs = np.ascontiguousarray(np.ascontiguousarray(rows).view("<u2").T)
    found = np.zeros(len(rows), dtype=np.uint32)
    for pair in pairs:
        found = _PAIR[(found ^ pair) & _LOW] ^ (found >> _SIXTEEN)
    return found


def _shifts() -> Words:
    """Remainder [4, 256] of each byte of a remainder after a chunk of zeros."""
    found = np.arange(256, dtype=np.uint32)[None] << (8 * np.arange(4, dtype=np.uint32))[:, None]
    for _ in range(_CHUNK // 2):
        found = _PAIR[found & _LOW] ^ (found >> _SIXTEEN)
    return found.astype(np.uint32)


_AFTER_A_CHUNK: list[list[int]] = _shifts().tolist()


def masked(data: bytes) -> int:
    """Compute the masked CRC-32C of one string.

    Args:
        data: Bytes.

    Returns:
        CRC, rotated by 15 bits and shifted by a constant, as TFRecord files hold it.

    >>> hex(masked((24).to_bytes(8, "little")))
    '0x224b7fa3'
    """
    crc = _in_chunks(data) if len(data) > _SHORT else _one_by_one(data)
    return int(_mask(np.array([crc ^ 0xFFFF_FFFF], dtype=np.uint32))[0])


def _in_chunks(data: bytes) -> int:
    """Remainder of a long string: of its chunks together, each then moved to its place."""
    width = -(-len(data) // _CHUNK) * _CHUNK
    padded = np.zeros(width, dtype=np.uint8)
    padded[width - len(data) :] = np.frombuffer(data, dtype=np.uint8)
    padded[width - len(data) : width - len(data) + 4] ^= 0xFF
    zero, one, two, three = _AFTER_A_CHUNK
    crc = 0
    for part in _remainders(padded.reshape(-1, _CHUNK)).tolist():
        moved = zero[crc & 255] ^ one[crc >> 8 & 255] ^ two[crc >> 16 & 255] ^ three[crc >> 24]
        crc = moved ^ part
    return crc


def _one_by_one(data: bytes) -> int:
    crc = 0xFFFF_FFFF
    for byte in data:
        crc = _BYTES[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc


def _mask(crc: Words) -> Words:
    rotated = (crc >> np.uint32(15)) | (crc << np.uint32(17))
    return (rotated + _MASK_DELTA).astype(np.uint32)


def fit(buffer: NDArray[np.uint8], starts: Ints, length: int) -> Bools:
    """Tell which payloads of one length fit the masked CRC that follows each of them.

    Args:
        buffer: Bytes [size].
        starts: First byte [n] of each payload; four bytes of CRC follow its last one.
        length: Bytes of each payload, at least four.

    Returns:
        Truth value [n].
    """
    windows = sliding_window_view(buffer, length + 4)
    good = np.zeros(len(starts), dtype=np.bool_)
    odd = length % 2
    for low in range(0, len(starts), _TOGETHER):
        rows: NDArray[Any] = windows[starts[low : low + _TOGETHER]]
        work = np.zeros((len(rows), length + odd), dtype=np.uint8)
        work[:, odd:] = rows[:, :length]
        work[:, odd : odd + 4] ^= 0xFF
        stated = np.ascontiguousarray(rows[:, length:]).view("<u4")[:, 0]
        good[low : low + _TOGETHER] = _mask(~_remainders(work)) == stated
    return good
