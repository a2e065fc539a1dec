"""IDX files, in which MNIST and Fashion-MNIST are published, gzipped or not.

Two zero bytes, the type of the numbers (8: unsigned bytes), the number of sizes, the sizes as
big-endian 32-bit numbers, then the numbers, the last index running fastest (LeCun, Cortes and
Burges, "The MNIST database of handwritten digits", "The IDX file format").
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import RunError
from dlcc.recipes.data.files import MOST_NUMBERS, Part, damaged, find
from dlcc.runs.files import opened_regular

_UNSIGNED_BYTES = 8
_GZIP = b"\x1f\x8b"
_MOST_INFLATED = 1032  # bytes that a byte of a deflated stream can stand for
_CHUNK = 2**20

_Stream = BufferedReader | gzip.GzipFile
_PREFIXES: dict[Part, str] = {"train": "train", "test": "t10k"}


def find_idx(data: str, folder: str, places: Sequence[str], part: Part, what: str) -> Path:
    """Find the file of `images` or `labels` of a part, by any of the names that it goes by.

    Raises:
        RunError: there is none; it says which file to put where.
    """
    kind = {"images": "idx3-ubyte", "labels": "idx1-ubyte"}[what]
    usual, other = f"{_PREFIXES[part]}-{what}-{kind}", f"{_PREFIXES[part]}-{what}.{kind}"
    names, also = (usual, f"{usual}.gz"), (other, f"{other}.gz")
    return find(data, folder, places, names, also)


def read_idx(path: Path, ndim: int) -> NDArray[np.uint8]:
    """Read the numbers of a file of `ndim` sizes: images [n, rows, columns], labels [n].

    Its length is compared with what the header claims before memory is taken; a gzipped file is
    inflated to that length and no further, and its checksum is verified.

    Raises:
        RunError: the file is missing, cut, longer than its header says, or not such a file.
    """
    with _opened(path, ndim) as (stream, shape):
        count = math.prod(shape)
        numbers = bytearray()
        while len(numbers) < count:
            chunk = stream.read(min(_CHUNK, count - len(numbers)))
            if not chunk:
                raise damaged(path, f"ends after {len(numbers):,} of {count:,} bytes")
            numbers += chunk
        if stream.read(1):  # at its end gzip compares the checksum too
            raise damaged(path, f"goes on after the {count:,} bytes that its header claims")
    return np.frombuffer(numbers, np.uint8).reshape(shape)


def read_idx_shape(path: Path, ndim: int) -> tuple[int, ...]:
    """Read the sizes that the header claims, checked against the length of the file.

    Raises:
        RunError: as `read_idx`, of the header alone.
    """
    with _opened(path, ndim) as (_, shape):
        return shape


@contextmanager
def _opened(path: Path, ndim: int) -> Iterator[tuple[_Stream, tuple[int, ...]]]:
    """Open a file and yield what comes after its header, and the sizes."""
    with opened_regular(path, RunError) as file:
        size = os.fstat(file.fileno()).st_size
        packed = file.peek(2)[:2] == _GZIP
        try:
            if not packed:
                shape = _header(path, file, ndim)
                _check_length(path, size, 4 + 4 * ndim + math.prod(shape))
                yield file, shape
                return
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                shape = _header(path, stream, ndim)
                if math.prod(shape) > size * _MOST_INFLATED:
                    raise damaged(
                        path, f"claims {math.prod(shape):,} numbers, more than {size:,} bytes hold"
                    )
                yield stream, shape
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise damaged(path, "its gzip stream is cut or damaged") from error


def _header(path: Path, stream: _Stream, ndim: int) -> tuple[int, ...]:
    """Read the sizes, none of them 0 and not too many numbers together."""
    head = stream.read(4 + 4 * ndim)
    if len(head) < 4 + 4 * ndim:
        raise damaged(path, f"{len(head)} bytes, fewer than the header of an IDX file has")
    if head[:2] != b"\0\0" or head[2:4] != bytes([_UNSIGNED_BYTES, ndim]):
        raise damaged(
            path,
            f"begins with {head[:4].hex()}, not with 000008{ndim:02x} as IDX files of bytes with "
            f"{ndim} sizes do",
        )
    shape = struct.unpack(f">{ndim}I", head[4:])
    if not 0 < math.prod(shape) <= MOST_NUMBERS:
        raise damaged(path, f"claims the sizes {shape}, expected 1 to {MOST_NUMBERS:,} numbers")
    return shape


def _check_length(path: Path, size: int, expected: int) -> None:
    """Raise RunError where a file is longer or shorter than its header says, in bytes."""
    if size != expected:
        raise damaged(path, f"{size:,} bytes, expected {expected:,} by its header")
