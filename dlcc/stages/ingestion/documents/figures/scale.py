"""Scale of an axis from the labels at its ticks: linear or logarithmic, as most labels agree."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dlcc.stages.ingestion.documents.figures.frame import INK, Frame, Tick, inked
from dlcc.stages.ingestion.documents.figures.ocr import read_pieces
from dlcc.stages.ingestion.documents.unreadable import UnreadableDocument
from dlcc.typing import Floats

Grey = NDArray[np.uint8]

_PALE = 200  # grey of a small dot's ink
_MOST_TICKS = 40
_DIGITS = "0123456789.,"
_NEAR, _SHARE = 0.02, 0.6  # of the distance of two ticks; of labels that must agree


@dataclass(frozen=True)
class Scale:
    """Scale of an axis: value = a · pixel + b, or its logarithm to base 10."""

    a: float
    b: float
    logarithmic: bool

    def values(self, pixels: Floats) -> Floats:
        """Values at pixels.

        >>> Scale(0.5, 1.0, False).values(np.array([0.0, 2.0])).tolist()
        [1.0, 2.0]
        """
        line = self.a * pixels + self.b
        return 10.0**line if self.logarithmic else line


@dataclass(frozen=True)
class Label:
    """Label of a tick as ink: its digits, its sign, and what is raised above 10."""

    digits: Grey
    negative: bool
    exponent: Grey | None = None
    exponent_negative: bool = False


def read_scale(grey: Grey, frame: Frame, *, vertical: bool) -> Scale:
    """Read the scale of one axis of a figure.

    Raises:
        UnreadableDocument: Too few labels are read, or they do not agree.
    """
    ticks = frame.beside if vertical else frame.below
    inks = (_left_of if vertical else _under)(grey, frame, _longest(ticks))
    labels = [(place, _label(ink)) for place, ink in inks]
    exponential = any(label.exponent is not None for _, label in labels)
    uneven = _is_uneven(ticks)
    for characters in (_DIGITS, _DIGITS + "kM"):
        values = _values([label for _, label in labels], characters)
        known = [(p, v) for (p, _), v in zip(labels, values, strict=True) if v is not None]
        scale = _agreed(known, linear=not (exponential or uneven))
        if scale is None and len(known) == 1 and exponential:
            scale = _of_minor_ticks(*known[0], ticks)
        if scale is not None:
            return _scaled(scale, _factor(grey, frame, vertical=vertical))
    side = "vertical" if vertical else "horizontal"
    raise UnreadableDocument(f"the labels of the figure's {side} axis could not be read")


def _scaled(scale: Scale, factor: float) -> Scale:
    """Multiply what a scale gives by a factor."""
    if scale.logarithmic:
        return Scale(scale.a, scale.b + math.log10(factor), True)
    return Scale(scale.a * factor, scale.b * factor, False)


def _longest(ticks: Sequence[Tick]) -> list[Tick]:
    """Select the ticks that have labels: the longest."""
    longest = max(tick.length for tick in ticks)
    return [tick for tick in ticks if tick.length >= 0.75 * longest][:_MOST_TICKS]


def _is_uneven(ticks: Sequence[Tick]) -> bool:
    """Whether ticks lie as those of a logarithmic axis do: ever closer."""
    gaps = np.diff([tick.place for tick in ticks])
    return len(gaps) >= 3 and bool(gaps.max() > 1.7 * gaps.min() and gaps.min() > 0)


def _of_minor_ticks(place: float, value: float, ticks: Sequence[Tick]) -> Scale | None:
    """Find a logarithmic scale from its only label and the ticks between: 2, 3, ... times it."""
    others = np.array([tick.place for tick in ticks if tick.place != place])
    grid = np.concatenate([np.log10(np.arange(1, 10)) + k for k in range(-3, 4)])
    best: tuple[int, float, float] | None = None
    for size in np.geomspace(25, 4_000, 1_200):  # pixels of a decade, which lead upwards
        off = np.abs((place - others)[:, None] / size - grid).min(1) * size
        agree = off < 1.2
        used = np.abs((others - place) / size) < 1.5
        key = (int(agree.sum()), -float(off.mean()), float(size))
        if agree.all() and used.all() and (best is None or key > best):
            best = key
    if best is None or best[0] < 4:
        return None
    size = best[2]
    nearest = grid[np.abs((place - others)[:, None] / size - grid).argmin(1)]
    slope = float(np.dot(nearest, place - others) / np.dot(place - others, place - others))
    return Scale(-slope, slope * place + math.log10(value), True)


def _under(grey: Grey, frame: Frame, ticks: Sequence[Tick]) -> list[tuple[float, Grey]]:
    """Cut out the ink of the labels under ticks."""
    top = frame.bottom + frame.outside[0] + 2
    strip = grey[top : top + 60]
    first, last = label_rows(strip, frame)
    if last <= first:
        return []
    band = strip[first:last]
    blank = ~inked(band, 0)
    places = [tick.place for tick in ticks]
    reach = 3.5 * (last - first)
    edges = [
        max(0, round(places[0] - reach)),
        *(_cut(blank, a, b) for a, b in itertools.pairwise(places)),
        round(places[-1] + reach),
    ]
    found = []
    for place, (start, end) in zip(places, itertools.pairwise(edges), strict=True):
        ink = _tight(band[:, start:end])
        if ink is not None:
            found.append((place, ink))
    return found


def _cut(blank: NDArray[np.bool_], a: float, b: float) -> int:
    """Middle of the widest gap between two labels, near the middle of their ticks."""
    start, end = round(a + 0.25 * (b - a)), round(b - 0.25 * (b - a))
    groups = _groups(np.flatnonzero(blank[start : end + 1]), 1)
    if not groups:
        return round((a + b) / 2)
    widest = max(groups, key=lambda g: (g[1] - g[0], -abs(g[0] + g[1] - end + start)))
    return start + (widest[0] + widest[1] + 1) // 2


def label_rows(strip: Grey, frame: Frame) -> tuple[int, int]:
    """First row of the labels in what lies below the ticks, and the row after the last."""
    rows = np.flatnonzero(inked(strip[:, max(0, frame.left - 20) : frame.right + 20], 1))
    if not len(rows):
        return 0, 0
    return _groups(rows, 2)[0][0], _groups(rows, 2)[0][1] + 1


def _groups(places: NDArray[np.intp], gap: float) -> list[tuple[int, int]]:
    """Cut ascending places where they are more than a gap apart: first and last of each group."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and place - found[-1][1] <= gap:
            found[-1] = (found[-1][0], int(place))
        else:
            found.append((int(place), int(place)))
    return found


def _left_of(grey: Grey, frame: Frame, ticks: Sequence[Tick]) -> list[tuple[float, Grey]]:
    """Cut out the ink of the labels to the left of ticks."""
    right = frame.left - frame.outside[1] - 1
    first, last = label_rows(grey[frame.bottom + frame.outside[0] + 2 :][:60], frame)
    height = max(6, last - first)
    found = []
    for tick in ticks:
        top = max(0, round(tick.place - 0.95 * height))
        part = grey[top : round(tick.place + 0.95 * height) + 1, :right]
        groups = _groups(np.flatnonzero(inked(part, 0, _PALE)), 0.9 * height)
        if groups and right - groups[-1][1] < 2.5 * height:
            ink = _tight(part[:, groups[-1][0] : groups[-1][1] + 1])
            if ink is not None:
                found.append((tick.place, ink))
    return found


def _tight(part: Grey) -> Grey | None:
    rows, columns = np.flatnonzero(inked(part, 1)), np.flatnonzero(inked(part, 0))
    if len(rows) < 3 or not len(columns):
        return None
    return part[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _label(ink: Grey) -> Label:
    """Take a label apart: a minus before it, and an exponent that is raised behind a 10."""
    marks, _ = ndimage.label(ink < INK, np.ones((3, 3)))
    boxes = sorted(ndimage.find_objects(marks), key=lambda box: box[1].start)
    height = ink.shape[0]
    negative = bool(boxes) and _is_minus(boxes[0])
    if negative:
        ink = ink[:, boxes[1][1].start :] if len(boxes) > 1 else ink
        shift = boxes[1][1].start if len(boxes) > 1 else 0
        boxes = boxes[1:]
    else:
        shift = 0
    low = [box for box in boxes if box[0].stop > 0.75 * height]
    after = low[-1][1].start if low else 0
    raised = [box for box in boxes if box[0].stop <= 0.72 * height and box[1].start > after]
    if len(low) < 2 or not raised:
        return Label(_padded(_tight(ink)), negative)
    below_zero = _is_minus(raised[0])
    digits = raised[1:] if below_zero else raised
    if not digits:
        return Label(_padded(_tight(ink)), negative)
    start, end = digits[0][1].start - shift, digits[-1][1].stop - shift
    base = ink[:, : low[-1][1].stop - shift]
    top, bottom = min(b[0].start for b in digits), max(b[0].stop for b in digits)
    return Label(
        _padded(_tight(base)), negative, _padded(_tight(ink[top:bottom, start:end])), below_zero
    )


def _is_minus(box: tuple[slice, ...]) -> bool:
    height, width = box[0].stop - box[0].start, box[1].stop - box[1].start
    return bool(width >= 3 and height <= 0.4 * width)


def _padded(ink: Grey | None) -> Grey:
    """Put a margin around ink, so that it is no larger than other letters are."""
    if ink is None:
        return np.full((10, 10), 255, dtype=np.uint8)
    pad = max(2, ink.shape[0] // 4)
    return np.pad(ink, pad, constant_values=255)


def _values(labels: Sequence[Label], characters: str) -> list[float | None]:
    """Read labels; None where one is not read."""
    texts = read_pieces([label.digits for label in labels], characters)
    raised = [_behind_ten(label) for label in labels if label.exponent is not None]
    exponents = iter(read_pieces(raised, "0123456789"))
    found: list[float | None] = []
    for label, text in zip(labels, texts, strict=True):
        if label.exponent is None:
            value = _number(text)
        else:
            both = next(exponents).replace(" ", "")
            power = both[2:] if both.startswith("10") else ""
            value = _power(text, power, -1 if label.exponent_negative else 1)
        found.append(-value if value is not None and label.negative else value)
    return found


def _behind_ten(label: Label) -> Grey:
    """Put an exponent, as large as they are, behind the 1 and the 0 that it stands above: a single
    digit by itself is often not read."""
    from PIL import Image

    assert label.exponent is not None
    base = _tight(label.digits)
    exponent = _tight(label.exponent)
    if base is None or exponent is None:
        return label.exponent
    height = base.shape[0]
    ten = base[:, max(0, base.shape[1] - round(1.75 * height)) :]
    marks, _ = ndimage.label(ten < INK, np.ones((3, 3)))
    boxes = sorted(ndimage.find_objects(marks), key=lambda box: box[1].start)
    ten = ten[:, boxes[-2][1].start if len(boxes) > 1 else 0 :]
    width = max(1, round(exponent.shape[1] * height / exponent.shape[0]))
    large = Image.fromarray(exponent).resize((width, height), Image.Resampling.BICUBIC)
    gap = np.full((height, max(1, height // 7)), 255, dtype=np.uint8)
    return _padded(np.hstack([ten, gap, np.asarray(large)]))


def _power(base: str, exponent: str, sign: int) -> float | None:
    """Number such as 10², or 3 × 10², from what was read of its parts.

    >>> _power("10", "2", -1), _power("310", "2", 1), _power("1O", "2", 1)
    (0.01, 300.0, None)
    """
    match = re.fullmatch(r"(\d(?:\.\d+)?)?[.,]?10", base.replace(" ", ""))
    if match is None or not exponent.isdigit() or len(exponent) > 2:
        return None
    return float(match[1] or 1) * 10.0 ** (sign * int(exponent))


def _number(text: str) -> float | None:
    """Number in a label: 1.5, 1,000, 2.5k.

    >>> _number("1,500"), _number("2.5k"), _number("1.2.3")
    (1500.0, 2500.0, None)
    """
    text = text.replace(" ", "")
    match = re.fullmatch(r"(\d{1,3}(?:,\d{3})+|\d*\.?\d+|\d+\.)([kM]?)", text)
    if match is None:
        return None
    return float(match[1].replace(",", "")) * {"": 1.0, "k": 1e3, "M": 1e6}[match[2]]


def _agreed(known: Sequence[tuple[float, float]], *, linear: bool) -> Scale | None:
    """Find the scale that most labels agree on; None without a majority.

    Args:
        known: Pixel and value of each label.
        linear: Whether a linear scale may be.
    """
    if len(known) < 2:
        return None
    x, values = np.array(known, dtype=float).T
    best: tuple[int, float, Scale] | None = None
    for logarithmic in (False, True):
        if (logarithmic and (values <= 0).any()) or (not logarithmic and not linear):
            continue
        line = np.log10(values) if logarithmic else values
        for i, j in itertools.combinations(range(len(x)), 2):
            a = (line[j] - line[i]) / (x[j] - x[i])
            if a == 0:
                continue
            off = np.abs(line - (a * (x - x[i]) + line[i]))
            agree = off < _NEAR * np.diff(x).min() * abs(a) + 1e-12
            key = (int(agree.sum()), -float(off[agree].mean()))
            if best is None or key > best[:2]:
                slope, offset = np.polyfit(x[agree], line[agree], 1)
                best = (*key, Scale(float(slope), float(offset), logarithmic))
    if best is None or best[0] < max(2, _SHARE * len(x)) or (best[0] < 3 and len(x) > 2):
        return None
    return best[2]


def _factor(grey: Grey, frame: Frame, *, vertical: bool) -> float:
    """Read the factor that stands beside an axis, such as 1e6; 1 without one.

    Raises:
        UnreadableDocument: Something stands there that could be a factor and is not read.
    """
    below = frame.bottom + frame.outside[0] + 2
    first, last = label_rows(grey[below:][:60], frame)
    height = max(6, last - first)
    if vertical:
        part = grey[max(0, frame.top - 2 * height) : max(1, frame.top - 2)]
        part = part[:, max(0, frame.left - height) : frame.left + 6 * height]
    else:
        part = grey[below + last + 1 : below + last + round(2.4 * height)]
        part = part[:, frame.right - 4 * height : frame.right + 3 * height]
    ink = _tight(part) if part.size else None
    if ink is None or ink.shape[1] > 5 * height:
        return 1.0  # a title reaches there
    text = read_pieces([_padded(ink)], "0123456789e+-−×^.")[0].replace(" ", "")
    match = re.fullmatch(r"(?:1?[e×]|1e)(?:10\^?)?([-−+]?\d{1,2})", text)
    if match is None:
        raise UnreadableDocument("what stands beside the figure's axis may be a factor, unread")
    return 10.0 ** int(match[1].replace("−", "-"))
