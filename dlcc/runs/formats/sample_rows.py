"""Rows of samples and of training data in one layout: pictures [n, h, w] or [n, 3, h, w]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.runs.formats.picture_file import averaged, grey

_BELOW = -0.01  # a value under which pixels are not counted from 0
_ABOVE = 2.0  # a value above which they are counted to 255


@dataclass(frozen=True)
class PictureShape:
    """Shape that pictures are compared in."""

    height: int
    width: int
    coloured: bool

    def __str__(self) -> str:
        return f"{self.height} × {self.width} pixels{' in colour' if self.coloured else ''}"

    @property
    def numbers(self) -> int:
        """Number of values of a picture."""
        return self.height * self.width * (3 if self.coloured else 1)


def shape_of(rows: np.ndarray) -> PictureShape | None:
    """Shape of rows as `in_layout` gives them; None where they are no pictures."""
    if rows.ndim == 3 and min(rows.shape[1:]) > 3:
        return PictureShape(rows.shape[1], rows.shape[2], coloured=False)
    if rows.ndim == 4 and rows.shape[1] == 3:
        return PictureShape(rows.shape[2], rows.shape[3], coloured=True)
    return None


def in_layout(rows: np.ndarray) -> np.ndarray:
    """Bring rows to the layout [n, h, w] or [n, 3, h, w] where they are pictures.

    Args:
        rows: Rows [n, ...], with channels first or last.

    Returns:
        Rows, as they are where they are no pictures of one or three channels.

    >>> in_layout(np.zeros((5, 28, 28, 1))).shape, in_layout(np.zeros((5, 32, 32, 3))).shape
    ((5, 28, 28), (5, 3, 32, 32))
    """
    if rows.ndim != 4:
        return rows
    for axis in (1, 3):
        others = [rows.shape[i] for i in (1, 2, 3) if i != axis]
        if rows.shape[axis] in (1, 3) and min(others) > 3:
            first = np.moveaxis(rows, axis, 1)
            return first[:, 0] if first.shape[1] == 1 else first
    return rows


def in_shape(tiles: NDArray[np.uint8], shape: PictureShape) -> NDArray[np.uint8]:
    """Bring tiles [n, h, w] or [n, h, w, 3] to a shape, [n, h, w] or [n, 3, h, w], by averaging."""
    if tiles.ndim == 4 and not shape.coloured:
        tiles = grey(tiles)
    tiles = averaged(tiles, shape.height, shape.width)
    if not shape.coloured:
        return tiles
    if tiles.ndim == 3:
        return np.repeat(tiles[:, None], 3, axis=1)
    return tiles.transpose(0, 3, 1, 2)


def scale_of(rows: np.ndarray) -> tuple[float, float]:
    """Values of black and white that rows are likely to have: (0, 1), (-1, 1) or (0, 255)."""
    finite = rows[np.isfinite(rows)]
    if not len(finite):
        return 0.0, 1.0
    if rows.dtype == np.uint8 or finite.max() > _ABOVE:
        return 0.0, 255.0
    return (-1.0, 1.0) if finite.min() < _BELOW else (0.0, 1.0)


def as_tiles(rows: np.ndarray) -> NDArray[np.uint8]:
    """Turn pictures [n, h, w] or [n, 3, h, w] of any scale into tiles of 8 bits, channels last."""
    low, high = scale_of(rows)
    shares = (np.nan_to_num(rows.astype(np.float32)) - low) / (high - low)
    tiles = np.asarray(np.rint(255 * shares.clip(0, 1)), np.uint8)
    return tiles if tiles.ndim == 3 else tiles.transpose(0, 2, 3, 1)


def on_scale(tiles: NDArray[np.uint8], scale: tuple[float, float]) -> NDArray[np.float32]:
    """Values of tiles on a scale from black to white."""
    low, high = scale
    return np.asarray(low + tiles.astype(np.float32) * ((high - low) / 255), np.float32)
