"""Search for files, errors for damaged ones and scaling of pixels, shared by all readers.

A message says what is wrong with which file and what to put in its place, with the size that the
publisher's file has.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import MissingDataError, RunError

Part = Literal["train", "test"]
"""Part of a data set, as its publisher divided it."""

MOST_NUMBERS = 2**30
"""Largest number of values in one array: as float32 they take 4 GiB."""

PUBLISHED = {
    "train-images-idx3-ubyte": "47,040,016 bytes",
    "train-images-idx3-ubyte.gz": "9,912,422 bytes, of Fashion-MNIST 26,421,880",
    "train-labels-idx1-ubyte": "60,008 bytes",
    "train-labels-idx1-ubyte.gz": "28,881 bytes, of Fashion-MNIST 29,515",
    "t10k-images-idx3-ubyte": "7,840,016 bytes",
    "t10k-images-idx3-ubyte.gz": "1,648,877 bytes, of Fashion-MNIST 4,422,102",
    "t10k-labels-idx1-ubyte": "10,008 bytes",
    "t10k-labels-idx1-ubyte.gz": "4,542 bytes, of Fashion-MNIST 5,148",
    "data_batch_1": "31,035,704 bytes",
    "data_batch_2": "31,035,320 bytes",
    "data_batch_3": "31,035,999 bytes",
    "data_batch_4": "31,035,696 bytes",
    "data_batch_5": "31,035,623 bytes",
    "test_batch": "31,035,526 bytes",
    **{f"data_batch_{k}.bin": "30,730,000 bytes" for k in range(1, 6)},
    "test_batch.bin": "30,730,000 bytes",
}
"""Sizes of the files as their publishers give them away."""


def damaged(path: Path, what: str) -> RunError:
    """Make the error for a file that is not what it should be."""
    if path.name in PUBLISHED:
        return RunError(f"{path}: {what}; put the published {described(path.name)} there again")
    return RunError(f"{path}: {what}; replace it, or name another with the key folder")


def described(name: str) -> str:
    """Name of a file, with its published size where one is known."""
    return f"{name} ({PUBLISHED[name]})" if name in PUBLISHED else name


def named_folder(data: str, folder: str, wanted: Sequence[str]) -> Path:
    """Find the folder that the setting names.

    Raises:
        RunError: it is empty, or there is nothing of this name.
    """
    names = " or ".join(map(described, wanted))
    if not folder:
        raise RunError(f"data is {data} and folder is empty: set folder to where {names} is")
    path = Path(os.path.expanduser(folder))
    if not os.path.exists(path):
        message = f"{path}: missing; set folder to where {names} is"
        raise MissingDataError(message, str(path))
    return path


def find(
    data: str, folder: str, places: Sequence[str], names: Sequence[str], also: Sequence[str] = ()
) -> Path:
    """Find the first file of these names in the folder itself, then in its subfolders `places`.

    Args:
        data: Name of the data set, for the message.
        folder: Folder as the setting has it.
        places: Subfolders, in the order in which they are searched.
        names: Names of the file, in the order of preference.
        also: Further names, which the message leaves out.

    Returns:
        Path of the file.

    Raises:
        RunError: there is none.
    """
    root = named_folder(data, folder, names)
    for place in (root, *(root / name for name in places)):
        for name in (*names, *also):
            if os.path.exists(place / name):
                return place / name
    raise missing(data, root, places, names)


def missing(data: str, root: Path, places: Sequence[str], names: Sequence[str]) -> MissingDataError:
    """Make the error for data that are not there: it says what to put where."""
    return MissingDataError(
        f"{root}: data is {data}, and neither here nor in {' or '.join(places)} is there "
        f"{' or '.join(map(described, names))}; put it there, or set folder to where it is",
        str(root / names[0]),
    )


def scaled(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scale pixels from 0 … 255 to −1 … 1, of any shape."""
    images = pixels.astype(np.float32)
    images /= 127.5
    images -= 1
    return images
