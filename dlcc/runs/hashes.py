"""Hashes of the content of a run: of files by their names in the run, and of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import xxhash

from dlcc.errors import RunError
from dlcc.runs.files import opened_regular

_CHUNK = 1 << 22  # bytes


def digest_of_files(files: Mapping[str, Path]) -> str:
    """Hash names and contents with xxh3_128, in the order of the paths.

    Raises:
        RunError: A file is gone, is no regular one, or cannot be read.
    """
    state = xxhash.xxh3_128()
    for name, path in sorted(files.items(), key=lambda item: item[1]):
        state.update(f"{name}\0".encode(errors="surrogateescape"))
        with opened_regular(path, RunError) as stream:
            while chunk := stream.read(_CHUNK):
                state.update(chunk)
    return state.hexdigest()


def digest_of_arrays(arrays: Iterable[tuple[str, np.ndarray]]) -> str:
    """Hash names, types, shapes and values of arrays with xxh3_128."""
    state = xxhash.xxh3_128()
    for name, array in arrays:
        state.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()


def digest_of_parts(*parts: bytes | str) -> str:
    """Hash of texts and bytes in their order, 32 hexadecimal digits.

    >>> digest_of_parts("a", "b") == digest_of_parts("ab")
    False
    """
    state = xxhash.xxh3_128()
    for part in parts:
        state.update(part if isinstance(part, bytes) else part.encode())
        state.update(b"\0")
    return state.hexdigest()
