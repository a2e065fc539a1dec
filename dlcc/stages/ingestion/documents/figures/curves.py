"""Curves of a figure by their colour, and the samples of a legend, which are none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dlcc.stages.ingestion.documents.figures.frame import Frame, Pixels
from dlcc.typing import Floats

_COLOURED = 50  # difference of channels from which a pixel has a colour
_FEWEST, _MOST_CURVES = 14, 8  # pixels of a curve's own colour
_APART = 70.0  # distance of two curves' colours
_COVERED, _TRACE = 0.35, 0.12  # share of a pixel that a curve covers, and that counts at its edge
_SHORTEST = 0.04  # share of the frame that a curve passes through
_LEVEL = 6  # pixels of a column up to which a curve is level
_WIDEST_SAMPLE = 90  # pixels of a legend's sample


@dataclass(frozen=True)
class Sample:
    """Sample of a curve in a legend: where its text begins, and its row."""

    right: int
    row: float


@dataclass(frozen=True)
class DrawnCurve:
    """Curve as pixels: its middle in each column that it passes through."""

    colour: tuple[int, int, int]
    columns: Floats
    rows: Floats
    thickness: float
    """Pixels that it covers in a column where it is level."""
    sample: Sample | None
    """Sample in the legend; None without one."""


def find_curves(pixels: Pixels, frame: Frame) -> list[DrawnCurve]:
    """Find the curves within a frame."""
    inside = pixels[frame.top + 2 : frame.bottom - 1, frame.left + 2 : frame.right - 1].astype(int)
    curves = []
    for colour in _colours(inside):
        covered = _coverage(inside, colour)
        covered, sample = _without_sample(covered)
        curve = _traced(covered, colour, sample, frame)
        if curve is not None:
            curves.append(curve)
    return curves


def _colours(inside: NDArray[np.int_]) -> list[NDArray[np.int_]]:
    """Colours of curves: the commonest that are no paler shade of one found before."""
    flat = inside.reshape(-1, 3)
    coloured = flat[flat.max(1) - flat.min(1) > _COLOURED]
    if len(coloured) < _FEWEST:
        coloured = flat[flat.max(1) < 90]  # black, of which grids and frames are seldom inside
    values, counts = np.unique(coloured, axis=0, return_counts=True)
    found: list[NDArray[np.int_]] = []
    for k in np.argsort(-counts)[:400]:
        if counts[k] < _FEWEST or len(found) == _MOST_CURVES:
            break
        colour = values[k]
        if all(_differ(colour, other) for other in found):
            found.append(colour)
    return found


def _differ(a: NDArray[np.int_], b: NDArray[np.int_]) -> bool:
    """Whether a colour is another one, and no blend of it with white."""
    towards = 255 - b
    share = float(np.dot(a - b, towards) / max(1, np.dot(towards, towards)))
    nearest = b + np.clip(share, 0, 1) * towards
    return float(np.linalg.norm(a - nearest)) > _APART


def _coverage(inside: NDArray[np.int_], colour: NDArray[np.int_]) -> Floats:
    """Share [rows, columns] of each pixel that a colour covers, on white.

    A coloured curve is told by its colour alone, for letters, grids and legends' frames have none.
    """
    towards = 255 - colour
    away = 255.0 - inside
    if colour.max() - colour.min() > _COLOURED:
        own = towards - towards.mean()
        share = ((away - away.mean(2, keepdims=True)) @ own) / np.dot(own, own)
    else:
        share = (away @ towards) / max(1, int(np.dot(towards, towards)))
    off = np.linalg.norm(away - share[..., None] * towards, axis=2)
    found: Floats = np.where(off < 60, np.clip(share, 0, 1), 0.0)
    return found


def _without_sample(covered: Floats) -> tuple[Floats, Sample | None]:
    """Take a legend's sample out: a short level stroke apart from the rest of its colour."""
    marks, count = ndimage.label(covered > _COVERED, np.ones((3, 3)))
    if count < 2:
        return covered, None
    sizes = ndimage.sum_labels(np.ones_like(covered), marks, np.arange(1, count + 1))
    best: tuple[float, int, tuple[slice, ...]] | None = None
    for k, box in enumerate(ndimage.find_objects(marks), start=1):
        height, width = box[0].stop - box[0].start, box[1].stop - box[1].start
        level = 14 <= width <= _WIDEST_SAMPLE and height <= max(3, 0.25 * width)
        full = sizes[k - 1] > 0.7 * height * width
        wider = best is None or width > best[0]
        if level and full and wider and sizes[k - 1] < 0.5 * sizes.sum():
            best = (width, k, box)
    if best is None:
        return covered, None
    _, k, box = best
    row = (box[0].start + box[0].stop - 1) / 2
    cleaned = np.where(ndimage.binary_dilation(marks == k, iterations=2), 0.0, covered)
    return cleaned, Sample(int(box[1].stop), float(row))


def _traced(
    covered: Floats, colour: NDArray[np.int_], sample: Sample | None, frame: Frame
) -> DrawnCurve | None:
    """Follow a colour from column to column: the middle of what it covers of each.

    Where noise fills a column, the middle of its extent is as good as its mean.
    """
    columns = np.flatnonzero((covered > _COVERED).any(0))
    if len(columns) < max(10, _SHORTEST * covered.shape[1]):
        return None
    weights = np.where(covered > _TRACE, covered, 0.0)[:, columns]
    rows = np.arange(len(covered), dtype=float)[:, None]
    high = np.argmax(weights > 0, axis=0)
    low = len(covered) - 1 - np.argmax(weights[::-1] > 0, axis=0)
    level = low - high <= _LEVEL
    mean = (weights * rows).sum(0) / weights.sum(0)
    middle: Floats = np.where(level, mean, (high + low) / 2.0)
    thickness = float(np.median(weights.sum(0)[level])) if level.any() else 2.0
    left, top = frame.left + 2, frame.top + 2
    own = None if sample is None else Sample(left + sample.right, top + sample.row)
    red, green, blue = (int(c) for c in colour)
    places: Floats = columns.astype(np.float64) + left
    return DrawnCurve((red, green, blue), places, middle + top, thickness, own)
