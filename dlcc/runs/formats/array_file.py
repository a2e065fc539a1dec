"""Arrays of foreign runs, .npy and .npz, read within bounds and without pickles."""

from __future__ import annotations

import math
import os
import zipfile
from io import BufferedReader
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from dlcc.errors import SnapshotError
from dlcc.runs.files import opened_regular
from dlcc.runs.formats.quoting import short
from dlcc.runs.sample_files import MAX_BYTES, MAX_NUMBERS

_LIKELY = ("sample", "fake", "gen", "image", "arr_0", "x", "data")
_MOST_MEMBERS = 1_000
_LONGEST_HEADER = 10_000


def read_array(path: Path, most: int) -> np.ndarray:
    """Read the rows of a file of NumPy's.

    Args:
        path: File .npy, or .npz, of which the likeliest array is taken.
        most: Number of rows to keep, drawn evenly.

    Returns:
        Rows [n, ...] of numbers.

    Raises:
        SnapshotError: The file is damaged, larger than is read, or holds no rows of numbers.
    """
    with opened_regular(path, SnapshotError) as file:
        try:
            rows = _of_archive(path, file) if zipfile.is_zipfile(file) else _of_file(path, file)
        except SnapshotError:
            raise
        except Exception as error:  # a damaged archive surfaces as nearly any kind
            raise SnapshotError(f"{path}: no whole .npy or .npz") from error
    if len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]
    return rows


def _of_file(path: Path, file: BufferedReader) -> np.ndarray:
    file.seek(0)
    return _checked(path, file, os.fstat(file.fileno()).st_size)


def _of_archive(path: Path, file: BufferedReader) -> np.ndarray:
    """Likeliest array of an archive."""
    with zipfile.ZipFile(file) as archive:
        members = [m for m in archive.infolist()[:_MOST_MEMBERS] if m.filename.endswith(".npy")]
        if not members:
            raise SnapshotError(f"{path}: holds no array")
        member = min(members, key=lambda m: (_place(m.filename), -m.file_size))
        with archive.open(member) as stream:
            return _checked(path, stream, member.file_size)


def _place(name: str) -> int:
    found = (at for at, word in enumerate(_LIKELY) if word in name.lower())
    return next(found, len(_LIKELY))


def _checked(path: Path, stream: IO[bytes], size: int) -> np.ndarray:
    """Read an array whose header promises what is there, and no more than is read."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream, max_header_size=_LONGEST_HEADER)
    if dtype.kind not in "biuf" or len(shape) < 2 or min(shape) < 1:
        raise SnapshotError(
            f"{path}: expected rows [n, ...] of numbers, found the shape {short(shape)} of "
            f"{short(str(dtype))}"
        )
    numbers = math.prod(shape)
    if numbers > MAX_NUMBERS or numbers * dtype.itemsize > min(MAX_BYTES, size):
        raise SnapshotError(
            f"{path}: its header states {numbers:,} numbers, the file has {size:,} bytes; "
            f"expected at most {MAX_NUMBERS:,} numbers, all of them there"
        )
    data = stream.read(numbers * dtype.itemsize)
    if len(data) < numbers * dtype.itemsize:
        raise SnapshotError(f"{path}: ends before its {numbers:,} numbers do")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
