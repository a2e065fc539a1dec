"""Byte format of a series file; docs/run-format.md has the same as tables.

A file holds the rows of one set of quantities: a header that names them, then blocks of rows.
All numbers are little-endian. Every part carries a checksum, so that a reader can tell a tail that
a kill cut off (to be ignored) from damage (to be refused).
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import xxhash

from dlcc.runs.texts import LONGEST_NAME

VERSION = 1
FILE_MAGIC = b"DLCCSER\n"
BLOCK_MAGIC = b"DBLK"
BLOCK_ROWS = 4096
NO_REWIND = -1
QUANTITY = re.compile(r"[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)+")
"""Pattern of a name `player/quantity`; `is_quantity` also bounds its length."""
MEASURED_OF_A_PLAYER = (
    "sample_grad_norm",
    "sample_grad_norm_max",
    "grad_trace",
    "grad_noise_scale",
    "instability",
    "sparsity_sd",
)
"""Quantities of each player that `Recorder.measure` records, where its budget allows them."""
OVERHEAD = "measuring/overhead"
"""Series logged with every measurement: share of the training's own time that these took so far."""
MEASURED = frozenset((*MEASURED_OF_A_PLAYER, "overhead"))
"""Quantities of every series that `Recorder.measure` records."""

_FILE_START = struct.Struct("<8sII")  # magic, version, bytes of JSON
_CHECKSUM = struct.Struct("<Q")
# magic, number, session, rows, rewind, session start, checksum of the rows
_BLOCK = struct.Struct("<4sIIIqdQ")
BLOCK_HEADER_BYTES = _BLOCK.size + _CHECKSUM.size
MAX_COLUMNS = 4096
MAX_BYTES = 2**31
"""Bytes that all series files of a run may have together: a reader holds them in memory."""
_MAX_JSON_BYTES = 2**20


class FormatError(ValueError):
    """Error for bytes that are no series file; the message ends a sentence that names the file."""


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """Header of a block, before its rows."""

    number: int
    """Number of the block in its file, counted from 0, so that a lost block is noticed."""
    session: int
    """Number of the recording session, counted from 0, the same for all files of the run."""
    rows: int
    """Number of rows that follow, at most `BLOCK_ROWS`."""
    rewind: int
    """Rows before this block with this step or a later one are superseded; -1 for none."""
    start: float
    """Unix time in seconds from which the clock of these rows counts."""
    checksum: int
    """Checksum xxh3_64 of the rows."""


def row_struct(columns: int) -> struct.Struct:
    """Make the struct of one row: step, clock in milliseconds, values."""
    return struct.Struct(f"<qI{columns}d")


def row_dtype(columns: int) -> np.dtype[np.void]:
    """Make the numpy dtype of one row: step, clock in milliseconds, values."""
    return np.dtype([("step", "<i8"), ("clock", "<u4"), ("values", "<f8", (columns,))])


def encode_file_header(columns: Sequence[str]) -> bytes:
    """Encode the start of a file that holds these quantities.

    Raises:
        FormatError: No reader would take them.
    """
    _check_columns(columns)
    text = json.dumps({"columns": list(columns)}, ensure_ascii=False).encode()
    if len(text) > _MAX_JSON_BYTES:
        raise FormatError(f"the names of {len(columns):,} quantities take {len(text):,} bytes")
    head = _FILE_START.pack(FILE_MAGIC, VERSION, len(text)) + text
    return head + _CHECKSUM.pack(xxhash.xxh3_64_intdigest(head))


def read_file_header(file: BinaryIO) -> tuple[tuple[str, ...], int]:
    """Read the quantities of a file and the offset of its first block.

    Raises:
        FormatError: The file is no series file, of a later version, or damaged.
    """
    start = file.read(_FILE_START.size)
    if len(start) < _FILE_START.size or start[:8] != FILE_MAGIC:
        raise FormatError("expected the header of a series file; it is not one, or it is cut")
    _, version, length = _FILE_START.unpack(start)
    if version > VERSION:
        raise FormatError(f"has version {version}, this dlcc reads up to {VERSION}; update dlcc")
    rest = file.read(length + _CHECKSUM.size) if length <= _MAX_JSON_BYTES else b""
    if len(rest) < length + _CHECKSUM.size:
        raise FormatError(f"claims a header of {length} bytes; it is cut or damaged")
    (checksum,) = _CHECKSUM.unpack_from(rest, length)
    if xxhash.xxh3_64_intdigest(start + rest[:length]) != checksum:
        raise FormatError("its header differs from its checksum; restore it from a copy")
    try:
        columns = json.loads(rest[:length])["columns"]
    except (ValueError, RecursionError, TypeError, KeyError):
        raise FormatError("expected the names of its columns in its header") from None
    _check_columns(columns)
    return tuple(columns), len(start) + len(rest)


def is_quantity(name: object) -> bool:
    """Whether a value can name a series."""
    return (
        isinstance(name, str) and len(name) <= LONGEST_NAME and QUANTITY.fullmatch(name) is not None
    )


def _check_columns(columns: object) -> None:
    if not isinstance(columns, list | tuple) or not 1 <= len(columns) <= MAX_COLUMNS:
        raise FormatError(f"expected 1 to {MAX_COLUMNS:,} quantities in its header")
    for name in columns:
        if not is_quantity(name):
            raise FormatError(
                f"expected names 'player/quantity' of letters, digits, _ . and - in its header, "
                f"found {name!a:.80}"
            )
    if len(set(columns)) != len(columns):
        raise FormatError("a quantity stands twice in its header")


def encode_block_header(
    number: int, session: int, rows: int, rewind: int, start: float, payload: memoryview
) -> bytes:
    """Encode the header of a block whose rows are `payload`."""
    checksum = xxhash.xxh3_64_intdigest(payload)
    head = _BLOCK.pack(BLOCK_MAGIC, number, session, rows, rewind, start, checksum)
    return head + _CHECKSUM.pack(xxhash.xxh3_64_intdigest(head))


def decode_block_header(data: bytes) -> BlockHeader:
    """Decode the block header in `BLOCK_HEADER_BYTES` bytes.

    Raises:
        FormatError: The bytes are no intact block header.
    """
    (checksum,) = _CHECKSUM.unpack_from(data, _BLOCK.size)
    if xxhash.xxh3_64_intdigest(data[: _BLOCK.size]) != checksum:
        raise FormatError("differs from its checksum")
    magic, number, session, rows, rewind, start, payload = _BLOCK.unpack_from(data)
    if magic != BLOCK_MAGIC or rows > BLOCK_ROWS:
        raise FormatError("is not a block header")
    return BlockHeader(number, session, rows, rewind, start, payload)
