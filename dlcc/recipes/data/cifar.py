"""CIFAR-10 in the two forms that it is published in: images with classes 0 … 9.

Binary: rows of 3,073 bytes, the class and 1,024 bytes of each of red, green and blue, line by line.
Python: pickles of a dict with `data`, bytes [n, 3072] in that order, and `labels`, n numbers
(Krizhevsky, "The CIFAR-10 dataset", www.cs.toronto.edu/~kriz/cifar.html).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import RunError
from dlcc.recipes.data.files import Part, damaged, missing, named_folder
from dlcc.recipes.data.pickles import PickleRefusedError, read_pickle
from dlcc.runs.files import opened_regular

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]
"""Images [n, 3, 32, 32] and their classes [n]."""

CLASSES = 10
PLACES = ("cifar-10-batches-py", "cifar-10-batches-bin")
"""Subfolders that are searched after the folder itself: those of the published archives."""
_SHAPE = (3, 32, 32)
_PIXELS = 3 * 32 * 32
_ROW = 1 + _PIXELS
_MOST_BYTES = 2**26  # of a file; published ones have half of that

_NAMES: dict[Part, tuple[str, ...]] = {
    "train": tuple(f"data_batch_{k}" for k in range(1, 6)),
    "test": ("test_batch",),
}


def find_batches(folder: str, part: Part) -> list[Path]:
    """Find the files of a part, in the folder or in one of `PLACES`, Python's before binary ones.

    Raises:
        RunError: there are none, or one of several is missing.
    """
    first = _NAMES[part][0]
    wanted = (first, f"{first}.bin")
    root = named_folder("cifar10", folder, wanted)
    for place in (root, *(root / name for name in PLACES)):
        for end in ("", ".bin"):
            paths = [place / f"{name}{end}" for name in _NAMES[part]]
            there = [os.path.exists(path) for path in paths]
            if any(there) and not all(there):
                raise damaged(paths[there.index(False)], "missing, and others of the set are there")
            if all(there):
                return paths
    raise missing("cifar10", root, PLACES, wanted)


def read_batch(path: Path) -> Batch:
    """Read images [n, 3, 32, 32] and classes [n] of one file.

    Raises:
        RunError: it is missing, cut or not such a file; a pickle that asks for anything but arrays
            and plain values is refused, and none of it is run.
    """
    return _reader(path)(path)


def count_batch(path: Path) -> int:
    """Count the images of one file, of a binary one by its size.

    Raises:
        RunError: as `read_batch`.
    """
    if _reader(path) is read_pickled:
        return len(read_pickled(path)[1])
    with opened_regular(path, RunError) as file:
        return _rows(path, os.fstat(file.fileno()).st_size)


def read_binary(path: Path) -> Batch:
    """Read a binary file, as `read_batch`."""
    with opened_regular(path, RunError) as file:
        n = _rows(path, os.fstat(file.fileno()).st_size)
        rows = np.frombuffer(file.read(n * _ROW), np.uint8)
    if len(rows) != n * _ROW:
        raise damaged(path, "was cut while it was read")
    rows = rows.reshape(n, _ROW)
    return rows[:, 1:].reshape(n, *_SHAPE), _classes(path, rows[:, 0].astype(np.int64))


def read_pickled(path: Path) -> Batch:
    """Read a pickle, as `read_batch`."""
    with opened_regular(path, RunError) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _MOST_BYTES:
            raise damaged(path, f"{size:,} bytes, expected at most {_MOST_BYTES:,}")
        data = file.read(size)
    try:
        batch = read_pickle(data)
    except PickleRefusedError as error:
        raise damaged(path, str(error)) from error
    for key in ("data", "labels"):
        if key not in batch:
            raise damaged(path, f"lacks the key {key}")
    pixels, labels = batch["data"], _labels(path, batch["labels"])
    if (
        not isinstance(pixels, np.ndarray)
        or pixels.dtype != np.uint8
        or pixels.shape != (len(labels), _PIXELS)
        or not len(labels)
    ):
        raise damaged(path, f"data are not bytes [{len(labels)}, {_PIXELS}], as many as labels")
    return pixels.reshape(-1, *_SHAPE), _classes(path, labels)


def _reader(path: Path) -> Callable[[Path], Batch]:
    """Choose the reader of a file by its name."""
    return read_binary if path.suffix == ".bin" else read_pickled


def _rows(path: Path, size: int) -> int:
    """Number of rows in a binary file of this size."""
    if not size or size % _ROW or size > _MOST_BYTES:
        raise damaged(
            path, f"{size:,} bytes, expected a multiple of {_ROW:,}, at most {_MOST_BYTES:,}"
        )
    return size // _ROW


def _labels(path: Path, labels: Any) -> NDArray[np.int64]:
    """Convert the labels of a pickle to an array [n]."""
    if isinstance(labels, np.ndarray) and labels.ndim == 1 and labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    if type(labels) is list and all(type(n) is int and 0 <= n < CLASSES for n in labels):
        return np.array(labels, np.int64)
    raise damaged(path, f"labels are not whole numbers below {CLASSES}")


def _classes(path: Path, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Check that labels [n] are classes."""
    if labels.min() < 0 or labels.max() >= CLASSES:
        raise damaged(path, f"has a class that is not below {CLASSES}")
    return labels
