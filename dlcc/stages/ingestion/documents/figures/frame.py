"""Frame of a figure's axes, and the ticks on its left and lower side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

INK = 150
"""Grey below which a pixel is ink."""
_LONG = 0.4  # share of the figure's side from which a line may be a side of the frame
_NEUTRAL = 30  # difference of channels up to which a colour is a grey
_DARKNESS = (110, 170, 225)  # levels of grey that a frame may have, the darkest first
_THICKEST_TICK, _LONGEST_TICK = 4, 14  # pixels


@dataclass(frozen=True)
class Tick:
    """Tick of an axis."""

    place: float
    """Column or row of its middle."""
    length: int


@dataclass(frozen=True)
class Frame:
    """Frame of axes in pixels; rows count from the top."""

    left: int
    right: int
    top: int
    bottom: int
    below: tuple[Tick, ...]
    """Ticks of the horizontal axis, from the left."""
    beside: tuple[Tick, ...]
    """Ticks of the vertical axis, from the top."""
    outside: tuple[int, int]
    """Pixels that ticks reach out of the frame, below and beside it."""


def inked(grey: NDArray[np.uint8], axis: int, level: int = INK) -> Mask:
    """Tell along an axis where there is ink: columns (0) or rows (1)."""
    found: Mask = np.asarray((grey < level).any(axis), dtype=np.bool_)
    return found


def find_frame(pixels: Pixels) -> Frame:
    """Find the frame of the only axes of a figure.

    Args:
        pixels: Colours [height, width, 3].

    Raises:
        UnreadableDocument: There is no frame with ticks, or there are several.
    """
    height, width = pixels.shape[:2]
    grey = pixels.max(2).astype(int)
    neutral = grey - pixels.min(2) <= _NEUTRAL
    for level in _DARKNESS:
        dark = neutral & (grey < level)
        columns = _lines(dark.T, _LONG * height)
        rows = _lines(dark, _LONG * width)
        if columns and rows:
            break
    else:
        raise UnreadableDocument("no axes with ticks were found in the figure")
    left, bottom = columns[0], rows[-1]
    right = columns[-1] if len(columns) > 1 else _end(dark[bottom], left)
    top = rows[0] if len(rows) > 1 else _end(dark[:, left][::-1], height - 1 - bottom, height)
    if right - left < 60 or bottom - top < 40:
        raise UnreadableDocument("the axes of the figure are too small to be read")
    if _are_of_several(columns) or _are_of_several(rows):
        raise UnreadableDocument("figures with several axes are not read")
    below, out_below = _ticks(dark[:, left - 2 : right + 3], bottom, left - 2)
    beside, out_beside = _ticks(dark[top - 2 : bottom + 3].T[::-1], width - 1 - left, top - 2)
    opposite, reach = _ticks(dark[top - 2 : bottom + 3].T, right, top - 2)
    if len(opposite) >= 2 and reach > 1:
        raise UnreadableDocument("figures with a second vertical axis are not read")
    if len(below) < 2 or len(beside) < 2:
        raise UnreadableDocument("no axes with ticks were found in the figure")
    return Frame(left, right, top, bottom, below, beside, (out_below, out_beside))


def _lines(dark: Mask, least: float) -> list[int]:
    """Rows that hold a long unbroken dark line; of a thick one its outermost is one of them."""
    found = []
    for k in np.flatnonzero(dark.sum(1) >= least):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], dark[k].astype(np.int8), [0]])))
        if (edges[1::2] - edges[::2]).max(initial=0) >= least:
            found.append(int(k))
    return found


def _end(line: Mask, start: int, size: int | None = None) -> int:
    """Last pixel of the dark line that begins near a place; mirrored where a size is given."""
    at = start
    while at + 1 < len(line) and (line[at + 1] or (at + 2 < len(line) and line[at + 2])):
        at += 1
    return at if size is None else size - 1 - at


def _are_of_several(lines: list[int]) -> bool:
    """Whether there are the sides of more than one frame among long dark lines."""
    distinct = [k for k, before in zip(lines, [-99, *lines], strict=False) if k - before > 6]
    return len(distinct) >= 4


def _ticks(dark: Mask, spine: int, start: int) -> tuple[tuple[Tick, ...], int]:
    """Find ticks that leave a horizontal spine downwards, else those that stand inside.

    Returns:
        Ticks with places counted from `start`, and how far they reach out.
    """
    edge = spine
    while edge + 1 < len(dark) and dark[edge + 1].mean() > 0.5:
        edge += 1
    lengths = np.zeros(dark.shape[1], dtype=int)
    reaches = np.ones(dark.shape[1], dtype=bool)
    for k in range(1, _LONGEST_TICK + 1):
        row = dark[edge + k] if edge + k < len(dark) else np.zeros(dark.shape[1], dtype=bool)
        reaches &= row
        lengths[reaches] = k
    found = _runs(lengths, start)
    if len(found) >= 2:
        return found, edge - spine + max(t.length for t in found)
    lengths[:] = 0
    reaches[:] = True
    inner = spine
    while inner > 0 and dark[inner - 1].mean() > 0.5:
        inner -= 1
    for k in range(1, _LONGEST_TICK + 1):
        reaches &= dark[inner - k]
        lengths[reaches] = k
    return tuple(t for t in _runs(lengths, start) if t.length < _LONGEST_TICK), edge - spine


def _runs(lengths: NDArray[np.int_], start: int) -> tuple[Tick, ...]:
    found = []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (lengths >= 1).astype(np.int8), [0]])))
    for a, b in zip(edges[::2], edges[1::2], strict=True):
        if b - a <= _THICKEST_TICK:
            found.append(Tick(start + (a + b - 1) / 2, int(lengths[a:b].max())))
    return tuple(found)
