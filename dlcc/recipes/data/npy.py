"""Images in a `.npy` file of numpy's (numpy.lib.format, version 1.0).

[n, side, side], [n, channels, side, side] or [n, side, side, channels] with 1 or 3 channels, as
bytes 0 … 255 or as floats; floats that are never negative are taken to lie in [0, 1], others in
[−1, 1].
"""

from __future__ import annotations

import math
import os
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import RunError
from dlcc.recipes.data.files import MOST_NUMBERS, damaged, scaled
from dlcc.runs.files import opened_regular

_TYPES = ("u1", "f2", "f4", "f8")


class _Header(NamedTuple):
    """Description of the numbers in a file, checked."""

    shape: tuple[int, ...]
    """Sizes of the array."""
    fortran: bool
    """Whether the first index runs fastest."""
    dtype: np.dtype[Any]
    """Type of the numbers."""
    axes: tuple[int, ...]
    """Axes of the images, channels, rows and columns, in this order."""


def read_npy(path: Path) -> NDArray[np.float32]:
    """Read images [n, channels, side, side] in [−1, 1].

    Raises:
        RunError: the file is missing, cut or no such file, or holds something else than images.
    """
    with opened_regular(path, RunError) as file:
        header = _read_header(path, file)
        size = math.prod(header.shape) * header.dtype.itemsize
        raw = file.read(size)
    if len(raw) != size:
        raise damaged(path, "was cut while it was read")
    flat: NDArray[Any] = np.frombuffer(raw, header.dtype)
    array = flat.reshape(header.shape, order="F" if header.fortran else "C")
    array = array.transpose(header.axes) if array.ndim == 4 else array[:, None]
    images = scaled(array) if array.dtype == np.uint8 else _unit_floats(path, array)
    return np.ascontiguousarray(images)


def count_npy(path: Path) -> int:
    """Count the images that the header claims and the file has room for.

    Raises:
        RunError: as `read_npy`, of the header alone.
    """
    with opened_regular(path, RunError) as file:
        return _read_header(path, file).shape[0]


def _read_header(path: Path, file: BufferedReader) -> _Header:
    """Read and check the header; the file then stands at the numbers."""
    try:
        version = np.lib.format.read_magic(file)
    except ValueError as error:
        raise damaged(path, "does not begin as a .npy file does") from error
    if version != (1, 0):  # later ones have headers of any length, which images do not need
        raise damaged(path, f"is of version {version[0]}.{version[1]} of .npy, expected 1.0")
    try:
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    except Exception as error:  # it is parsed as Python's text, which fails in many ways
        raise damaged(path, "has a header that does not describe an array") from error
    if dtype.str[1:] not in _TYPES:
        raise damaged(path, f"holds {dtype.name[:40]}, expected uint8 or floats")
    axes = _axes(shape)
    if axes is None:
        raise damaged(
            path,
            f"has {len(shape)} sizes {list(shape[:4])}, expected [n, side, side], "
            "[n, channels, side, side] or [n, side, side, channels] with 1 or 3 channels",
        )
    count = math.prod(shape)
    if min(shape) < 1 or count > MOST_NUMBERS:
        raise damaged(path, f"has the sizes {list(shape)}, expected 1 to {MOST_NUMBERS:,} numbers")
    size, expected = os.fstat(file.fileno()).st_size - file.tell(), count * dtype.itemsize
    if size != expected:
        raise damaged(path, f"has {size:,} bytes of numbers, expected {expected:,} by its header")
    return _Header(shape, fortran, dtype, axes)


def _axes(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Axes of images, channels, rows and columns; None for sizes that are not those of images."""
    match shape:
        case (_, rows, columns) if rows == columns:
            return 0, 1, 2
        case (_, 1 | 3, rows, columns) if rows == columns:
            return 0, 1, 2, 3
        case (_, rows, columns, 1 | 3) if rows == columns:
            return 0, 3, 1, 2
    return None


def _unit_floats(path: Path, array: NDArray[Any]) -> NDArray[np.float32]:
    """Convert floats of either range to [−1, 1]."""
    low, high = float(array.min()), float(array.max())
    if not (low >= -1 and high <= 1):  # NaN fails too
        raise damaged(
            path, f"has numbers from {low:g} to {high:g}, expected 0 to 1 or −1 to 1, or uint8"
        )
    images = array.astype(np.float32)
    if low >= 0:
        images *= 2
        images -= 1
    return images
