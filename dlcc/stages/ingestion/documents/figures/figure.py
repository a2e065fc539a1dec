"""Figure read back to series: axes, scales, curves and their names."""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.runs.axis.step_axis import what_counts
from dlcc.runs.roles import role_of_name
from dlcc.stages.ingestion.documents.figures.curves import DrawnCurve, Sample, find_curves
from dlcc.stages.ingestion.documents.figures.frame import Frame, Pixels, find_frame, inked
from dlcc.stages.ingestion.documents.figures.ocr import check_there, read_pieces
from dlcc.stages.ingestion.documents.figures.scale import Scale, read_scale
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument

_MOST_PIXELS = 16_000_000
_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")


@dataclass(frozen=True)
class FigureCurve:
    """Curve of a figure as numbers."""

    name: str
    """Name in the legend, or the label of the axis."""
    series: str
    """Series that its name tells, such as `generator/loss`; empty where it tells none."""
    unit: str
    """Unit of the horizontal axis, as its label tells; empty where it does not."""
    steps: tuple[float, ...]
    values: tuple[float, ...]
    tolerance: float
    """Error of a value: a pixel, or half of the line's thickness."""


def read_figure(content: bytes) -> list[FigureCurve]:
    """Read the curves of a figure.

    Args:
        content: PNG, JPEG or another common picture.

    Returns:
        Curves, the one that covers most first.

    Raises:
        UnreadableDocument: It is no picture, too large, has no axes that are understood, or there
            is no OCR.
    """
    check_there()
    pixels = _pixels(content)
    frame = find_frame(pixels)
    grey = pixels.min(2)
    across, up = (read_scale(grey, frame, vertical=v) for v in (False, True))
    curves = find_curves(pixels, frame)
    if not curves:
        raise UnreadableDocument("no curve was found in the figure")
    names = _names(grey, frame, curves)
    unit = _unit(grey, frame)
    axis = _axis_name(grey, frame)
    return [
        _as_numbers(curve, name, axis, unit, across, up)
        for curve, name in zip(curves, names, strict=True)
    ]


def _pixels(content: bytes) -> Pixels:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                if image.width * image.height > _MOST_PIXELS:
                    raise UnreadableDocument(
                        f"a picture of {image.width:,} × {image.height:,} pixels is too large"
                    )
                plain = image.convert("RGBA")
        except UnreadableDocument:
            raise
        except Exception:  # damage surfaces as nearly any kind
            raise UnreadableDocument("it is no whole picture") from None
    white = Image.new("RGBA", plain.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, plain).convert("RGB"))


def _as_numbers(
    curve: DrawnCurve, name: str, axis: str, unit: str, across: Scale, up: Scale
) -> FigureCurve:
    steps, values = across.values(curve.columns), up.values(curve.rows)
    error = max(1.0, curve.thickness / 2) * abs(up.a)
    if up.logarithmic:
        error = float(np.median(np.abs(values))) * (10.0**error - 1)
    return FigureCurve(
        name or axis,
        _series(name, axis),
        unit,
        tuple(float(s) for s in steps),
        tuple(float(v) for v in values),
        float(error),
    )


def _series(name: str, axis: str) -> str:
    """Tell the series of a curve by its name in the legend, alone or with the axis's."""
    for text in (name, f"{name} {axis}", axis if not name else ""):
        role = role_of_name(text)[0] if text.strip() else None
        if role is not None and role.is_series and role.player:
            return role.name
    return ""


def _names(grey: NDArray[np.uint8], frame: Frame, curves: list[DrawnCurve]) -> list[str]:
    """Read the texts beside the samples of a legend."""
    pieces, owners = [], []
    for k, curve in enumerate(curves):
        piece = None if curve.sample is None else _beside(grey, frame, curve.sample)
        if piece is not None:
            pieces.append(piece)
            owners.append(k)
    names = [""] * len(curves)
    for k, text in zip(owners, read_pieces(pieces), strict=True):
        names[k] = text
    return names


def _beside(grey: NDArray[np.uint8], frame: Frame, sample: Sample) -> NDArray[np.uint8] | None:
    """Cut out the text to the right of a legend's sample."""
    row = round(sample.row)
    part = grey[max(frame.top + 1, row - 9) : row + 11, sample.right + 2 : frame.right - 2]
    columns = np.flatnonzero(inked(part, 0))
    if not len(columns) or columns[0] > 40:
        return None
    last = columns[0]
    for column in columns:
        if column - last > 16:
            break
        last = column
    return np.pad(part[:, columns[0] : last + 1], 4, constant_values=255)


def _unit(grey: NDArray[np.uint8], frame: Frame) -> str:
    """Read what the horizontal axis counts from the label below it; empty where nothing tells."""
    top = frame.bottom + frame.outside[0] + 2
    strip = grey[top : top + 110, frame.left : frame.right]
    bands = _bands(inked(strip, 1))
    if len(bands) < 2:
        return ""
    a, b = bands[1]
    (text,) = read_pieces([_cut(strip[max(0, a - 2) : b + 2])])
    words = re.sub(r"[^a-z ]", "", text.lower()).split()
    counted = next((c for c in map(what_counts, words) if c), None)
    return {None: "", "step": "step"}.get(counted, counted or "")


def _axis_name(grey: NDArray[np.uint8], frame: Frame) -> str:
    """Read the label of the vertical axis, which stands on its side."""
    strip = grey[frame.top : frame.bottom, : max(1, frame.left - frame.outside[1] - 2)]
    below = grey[frame.bottom + frame.outside[0] + 2 :, frame.left : frame.right]
    labels = _bands(inked(below, 1))
    height = labels[0][1] - labels[0][0] if labels else 10
    bands = _bands(inked(strip, 0), max(2, round(0.35 * height)))
    if len(bands) < 2:
        return ""
    a, b = bands[0]
    if not 0.6 * height <= b - a <= 2.5 * height:
        return ""
    turned = np.rot90(strip[:, max(0, a - 2) : b + 2], -1)
    (text,) = read_pieces([_cut(turned)])
    return " ".join(re.sub(r"[^A-Za-z0-9_ ]", " ", text).split())


def _bands(ink: NDArray[np.bool_], gap: int = 2) -> list[tuple[int, int]]:
    """Stretches with ink, small gaps within."""
    found: list[tuple[int, int]] = []
    for k in np.flatnonzero(ink):
        if found and k - found[-1][1] < gap:
            found[-1] = (found[-1][0], int(k) + 1)
        else:
            found.append((int(k), int(k) + 1))
    return found


def _cut(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    columns = np.flatnonzero(inked(part, 0))
    if len(columns):
        part = part[:, columns[0] : columns[-1] + 1]
    return np.pad(part, 3, constant_values=255)
