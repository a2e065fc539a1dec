"""Files under `samples/`: one tensor of rows each, of a size that every stage can hold."""

from __future__ import annotations

import math
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Reconstructions:
    """Training data, what the model made of them, and their latents."""

    step: int
    """Step before which they were made."""
    originals: np.ndarray
    """Rows [n, ...] of the data."""
    reconstructed: np.ndarray
    """Rows of the same shape that the model made of them."""
    latents: np.ndarray | None
    """Latents [n, d] of the rows; None where they were not recorded."""


def write_reconstructions(path: Path, made: Reconstructions) -> Digest:
    """Write reconstructions as one file.

    Raises:
        OptionError: Shapes do not fit, or the rows are more than a reader takes.
        RunError: The system refused the write.
    """
    if made.originals.shape != made.reconstructed.shape or not made.originals.size:
        raise OptionError(
            f"{path}: originals {list(made.originals.shape)} and reconstructions "
            f"{list(made.reconstructed.shape)}: expected rows [n, ...] of one shape"
        )
    if made.latents is not None and len(made.latents) != len(made.originals):
        raise OptionError(
            f"{path}: {len(made.latents)} latents of {len(made.originals)} originals; give one "
            "row each"
        )
    if made.originals.size > MAX_NUMBERS // 4:
        raise OptionError(f"{path}: {made.originals.size:,} numbers; record fewer rows")
    tensors: dict[str, Tensor | np.ndarray] = {
        "step": np.array([made.step], dtype=np.int64),
        "originals": np.ascontiguousarray(made.originals, dtype=np.float32),
        "reconstructed": np.ascontiguousarray(made.reconstructed, dtype=np.float32),
    }
    if made.latents is not None:
        tensors["latents"] = np.ascontiguousarray(made.latents, dtype=np.float32)
    return write_tensors(path, tensors)


def read_reconstructions(path: Path) -> Reconstructions:
    """Read reconstructions.

    Raises:
        SnapshotError: The file is too large, damaged, or not what it claims.
    """
    tensors = read_tensors(path, max_bytes=MAX_BYTES, max_numbers=MAX_NUMBERS)
    step, originals, made = (tensors.get(k) for k in ("step", "originals", "reconstructed"))
    latents = tensors.get("latents")
    right = (
        step is not None
        and originals is not None
        and made is not None
        and step.shape == (1,)
        and originals.shape == made.shape
        and originals.ndim > 1
        and originals.size > 0
        and (latents is None or (latents.ndim == 2 and len(latents) == len(originals)))
    )
    if not right or step is None or originals is None or made is None:
        raise SnapshotError(
            f"{path}: expected step [1], originals and reconstructed of one shape [n, ...], and "
            f"perhaps latents [n, d]; found {sorted(tensors)[:5]!a:.200}"
        )
    return Reconstructions(int(step[0]), originals, made, latents)


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
