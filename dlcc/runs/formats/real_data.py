"""Training data to hold foreign samples against: what the user names, or grids of reals."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import OptionError, SnapshotError
from dlcc.runs.formats.array_file import read_array
from dlcc.runs.formats.picture_file import read_fitted, size_of
from dlcc.runs.formats.sample_names import ARRAYS, PICTURES
from dlcc.runs.formats.sample_rows import (
    PictureShape,
    as_tiles,
    in_layout,
    in_shape,
    on_scale,
    shape_of,
)
from dlcc.runs.formats.sample_tiling import Tiling

MOST_ROWS = 4_096
_MOST_NAMES = 200_000
_MOST_NUMBERS = 2**24  # of all rows together
_MOST_PIXELS = 2**29  # decoded for them
_FEW = 20  # files under which pictures can be grids of real data


def reference_files(path: Path) -> list[Path]:
    """List the files of training data that a user named.

    Args:
        path: File, or folder with pictures or arrays in it or below it.

    Returns:
        Pictures, or where there are none arrays, by name; links in the folder are not followed.

    Raises:
        OptionError: There is no such path, or no picture or array.
    """
    try:
        alone, there = path.is_file(), path.exists()
    except (OSError, ValueError):  # no system takes such a name
        alone, there = False, False
    if not there:
        raise OptionError(f"--reference {path}: no such file or folder; check the path")
    files = [path] if alone else list(_under(path))
    pictures = sorted(file for file in files if file.suffix.lower() in PICTURES)
    found = pictures or sorted(file for file in files if file.suffix.lower() in ARRAYS)
    if not found:
        raise OptionError(
            f"--reference {path}: holds no pictures ({', '.join(sorted(PICTURES))}) and no .npy or "
            ".npz; name the folder of the training images"
        )
    return found


def _under(folder: Path) -> Iterator[Path]:
    seen = 0
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith("."))
        for name in sorted(names):
            seen += 1
            path = Path(here, name)
            if name.startswith(".") or path.suffix.lower() not in PICTURES | ARRAYS:
                continue
            if not path.is_symlink() and path.is_file():
                yield path
        if seen > _MOST_NAMES:
            return


def drawn(files: Sequence[Path], numbers: int) -> list[Path]:
    """Choose files of single pictures, evenly.

    Args:
        files: Files.
        numbers: Numbers that a picture is compared by.

    Returns:
        At most 4,096 files, fewer where pictures or tiles are large.
    """
    if not files:
        return []
    most = min(MOST_ROWS, max(1, _MOST_NUMBERS // numbers))
    if files[0].suffix.lower() in PICTURES:
        try:
            high, wide = size_of(files[0])
            most = min(most, max(_FEW, _MOST_PIXELS // (high * wide)))
        except SnapshotError:
            pass
    if len(files) <= most:
        return list(files)
    return [files[i] for i in np.linspace(0, len(files) - 1, most).round().astype(int)]


def read_reals(
    files: Sequence[Path],
    like: PictureShape | None,
    tiling: Tiling | None,
    scale: tuple[float, float] | None,
) -> np.ndarray:
    """Read training data in the shape of samples.

    Args:
        files: Files, as `drawn` gives them.
        like: Shape of the samples; None where they are no pictures.
        tiling: Tiling of sample pictures, by which grids of reals are cut too; None for arrays.
        scale: Values of black and white among the samples; None to leave arrays as they are.

    Returns:
        Rows [n, ...].

    Raises:
        SnapshotError: Nothing can be read, or not in the shape of the samples.
    """
    if files[0].suffix.lower() in ARRAYS:
        return _of_arrays(files, like, scale)
    if like is None:
        raise SnapshotError(
            f"{files[0]}: a picture, and the samples are rows of numbers; name training data of "
            "their shape as .npy with --reference"
        )
    tiles = _tiles(files, like, tiling)
    return on_scale(tiles, scale or (0.0, 1.0))


def _tiles(files: Sequence[Path], like: PictureShape, tiling: Tiling | None) -> NDArray[np.uint8]:
    """Tiles of pictures: grids where they are few and can be cut like the samples, else single."""
    found, wrong = [], None
    grids = tiling is not None and tiling.grid is not None and len(files) < _FEW
    for file in files:
        try:
            if grids and tiling is not None:
                found.append(tiling.tiles(file))
            else:
                one = read_fitted(file, like.height, like.width, coloured=like.coloured)
                found.append(in_shape(one[None], like))
        except SnapshotError as error:
            wrong = wrong or error
    if not found:
        raise wrong or SnapshotError("no training data")
    rows = np.concatenate(found)
    most = min(MOST_ROWS, max(1, _MOST_NUMBERS // like.numbers))
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(np.int64)]


def _of_arrays(
    files: Sequence[Path], like: PictureShape | None, scale: tuple[float, float] | None
) -> np.ndarray:
    each = max(1, MOST_ROWS // len(files))
    found = [in_layout(read_array(file, each)) for file in files[:MOST_ROWS]]
    alike = [rows for rows in found if rows.shape[1:] == found[0].shape[1:]]
    rows = np.concatenate(alike)
    own = shape_of(rows)
    if scale is None or like is None:
        return rows
    if own is None:
        raise SnapshotError(
            f"{files[0]}: rows of the shape {list(rows.shape[1:])}, and the samples are pictures "
            f"of {like}"
        )
    return on_scale(in_shape(as_tiles(rows), like), scale)
