"""Files under `samples/`: one tensor of rows each, of a size that every stage can hold."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlcc.errors import OptionError, SnapshotError
from dlcc.runs.tensors import Digest, read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor

FEWEST_ROWS = 20
"""Rows of a sample step under which shares of samples say nothing."""
MAX_BYTES = 2**30
MAX_NUMBERS = 2**27  # whatever their type, they are compared as float64


def write_rows(path: Path, name: str, rows: Tensor | np.ndarray) -> Digest:
    """Write rows `[n, ...]`, n of at least 1, as the file's only tensor.

    Raises:
        OptionError: The rows are more than a reader takes.
        RunError: The system refused the write.
    """
    numbers = math.prod(rows.shape)
    if numbers > MAX_NUMBERS or numbers * rows.dtype.itemsize > MAX_BYTES:
        raise OptionError(
            f"{path}: {name} {list(rows.shape)} hold {numbers:,} numbers, expected at most "
            f"{MAX_NUMBERS:,} in {MAX_BYTES:,} bytes; record fewer rows"
        )
    return write_tensors(path, {name: rows})


def read_rows(path: Path, name: str) -> np.ndarray:
    """Read the rows `[n, ...]` of a file that holds this tensor and no other.

    Raises:
        SnapshotError: The file is missing, too large, damaged, or holds no numbers.
    """
    tensors = read_tensors(path, max_bytes=MAX_BYTES + 2**20, max_numbers=MAX_NUMBERS)
    if tensors.keys() != {name}:
        raise SnapshotError(
            f"{path}: expected the one tensor {name!r}, found {sorted(tensors)[:5]!a:.200}"
        )
    rows = tensors[name]
    if rows.ndim == 0 or rows.size == 0:
        raise SnapshotError(
            f"{path}: tensor {name!r}: expected rows [n, ...] with numbers in them, found the "
            f"shape {list(rows.shape)}; record at least one row"
        )
    return rows
