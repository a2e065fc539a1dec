"""Tiles that all sample pictures of a run are cut into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcc.errors import SnapshotError
from dlcc.runs.formats.picture_file import JPEG_TOLERANCE, grey, read_picture, size_of
from dlcc.runs.formats.picture_grid import Grid, find_grid
from dlcc.runs.formats.sample_rows import PictureShape, in_shape

_ASKED = 48  # pictures whose size is read
_LOOKED_AT = 9  # of them, that are decoded
_MOST_PIXELS = 2**26  # of those together
_LONGEST_SIDE = 64  # to which tiles are averaged
_SINGLES = 8  # files of a step from which each is a picture of its own


@dataclass(frozen=True)
class Tiling:
    """Way in which the pictures of a run are cut."""

    grid: Grid | None
    """Grid of a picture; None where each is a single sample."""
    shape: PictureShape
    """Shape of a tile as it is given."""
    size: tuple[int, int]
    """Height and width of a tile in the pictures."""

    def tiles(self, path: Path) -> NDArray[np.uint8]:
        """Read the tiles of a picture.

        Args:
            path: Picture of the run.

        Returns:
            Tiles [n, h, w] or [n, 3, h, w].

        Raises:
            SnapshotError: The picture is damaged, or no whole number of tiles fits it.
        """
        picture = read_picture(path)
        if self.grid is None:
            if picture.shape[:2] != self.size:
                raise SnapshotError(
                    f"{path}: {picture.shape[0]} × {picture.shape[1]} pixels, the other samples "
                    f"have {self.size[0]} × {self.size[1]}"
                )
            return in_shape(picture[None], self.shape)
        grid = self.grid.fitted(picture)
        if grid is None:
            raise SnapshotError(
                f"{path}: {picture.shape[0]} × {picture.shape[1]} pixels, which tiles of "
                f"{self.size[0]} × {self.size[1]} as in the other pictures do not fill"
            )
        return in_shape(grid.cut(picture), self.shape)


def find_tiling(steps: Sequence[Sequence[Path]]) -> Tiling | None:
    """Find how the pictures of a run are cut, together.

    Args:
        steps: Pictures of each step.

    Returns:
        Tiling; None where nothing is found with confidence.
    """
    single = float(np.median([len(files) for files in steps])) >= _SINGLES
    files = [file for step in steps for file in step]
    pictures = _look_at([files[i] for i in _evenly(len(files), _ASKED)])
    if not pictures:
        return None
    coloured = any(picture.coloured for picture in pictures)
    if single:
        size = (pictures[0].pixels.shape[0], pictures[0].pixels.shape[1])
        return Tiling(None, _shrunk(*size, coloured=coloured), size)
    stack = np.stack([picture.pixels for picture in pictures])
    lossy = any(picture.lossy for picture in pictures)
    grid = find_grid(stack, JPEG_TOLERANCE if lossy else 0.0)
    if grid is None:
        return None
    size = (grid.rows.size, grid.columns.size)
    return Tiling(grid, _shrunk(*size, coloured=coloured), size)


def _shrunk(height: int, width: int, *, coloured: bool) -> PictureShape:
    share = min(1.0, _LONGEST_SIDE / max(height, width))
    return PictureShape(max(1, round(share * height)), max(1, round(share * width)), coloured)


@dataclass(frozen=True)
class _Seen:
    """Picture that was looked at."""

    pixels: NDArray[np.uint8]
    """Pixels [h, w] in grey."""
    coloured: bool
    lossy: bool


def _look_at(files: Sequence[Path]) -> list[_Seen]:
    """Decode some of those pictures that have the most frequent size."""
    sizes: dict[Path, tuple[int, int]] = {}
    for file in files:
        try:
            sizes[file] = size_of(file)
        except SnapshotError:
            continue
    if not sizes:
        return []
    usual = Counter(sizes.values()).most_common(1)[0][0]
    alike = [file for file, size in sizes.items() if size == usual]
    most = max(1, min(_LOOKED_AT, _MOST_PIXELS // max(1, usual[0] * usual[1])))
    found = []
    for at in _evenly(len(alike), most):
        try:
            picture = read_picture(alike[at])
        except SnapshotError:
            continue
        coloured = picture.ndim == 3
        lossy = alike[at].suffix.lower() != ".png"
        found.append(_Seen(grey(picture) if coloured else picture, coloured, lossy))
    return found


def _evenly(number: int, most: int) -> list[int]:
    """Indices of at most so many of a number of things."""
    if number <= most:
        return list(range(number))
    return [round(at) for at in np.linspace(0, number - 1, most).tolist()]
