"""Figure of samples over time, for the gallery of recipes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcc.records import Samples
from dlcc.typing import Floats

_FROM_A_CORNER = np.array([[-0.5, -0.37], [0.87, -0.21], [0.0, 0.91]])  # of a box, from above
_BLUE = "#0b6e99"
_FARTHEST = 1e30
_GRID = 6  # sample grids over time


def samples_over_time(samples: Samples) -> Figure | None:
    """Draw samples at up to six sample steps: points over the training data, or images."""
    if not samples.steps:
        return None
    count = min(_GRID, len(samples.steps))
    chosen = [samples.steps[i] for i in np.linspace(0, len(samples.steps) - 1, count).astype(int)]
    first = samples.at(chosen[0])
    chosen = [step for step in chosen if samples.at(step).shape[1:] == first.shape[1:]]
    if first.ndim == 2 and first.shape[1] in (2, 3):
        return _point_grids(samples, chosen)
    if (shape := _image_shape(first)) is not None:
        return _image_grids(samples, chosen, *shape)
    return None


def _point_grids(samples: Samples, steps: Sequence[int]) -> Figure:
    figure, axes = _new_figure(9, 1.8, len(steps))
    reference, middle, span = None, np.zeros(2), 4.0
    if samples.comparable(steps[0]) and samples.reference is not None and len(samples.reference):
        reference = _in_plane(samples.reference)
        middle = (reference.min(axis=0) + reference.max(axis=0)) / 2
        span = 1.4 * float(np.abs(reference - middle).max()) or 1.0
    for ax, step in zip(axes, steps, strict=True):
        if reference is not None:
            x, y = reference[:600].T
            ax.scatter(x, y, s=1, color="0.8", rasterized=True)
        x, y = _in_plane(samples.at(step)[:400]).T
        ax.scatter(x, y, s=1.5, color=_BLUE, rasterized=True)
        ax.set(title=f"{step:,}", xlim=middle[0] + [-span, span], ylim=middle[1] + [-span, span])
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.title.set_fontsize(8)
    return figure


def _in_plane(points: Floats) -> Floats:
    """Project points [n, 3] to the plane as seen from a corner, [n, 2]; leave [n, 2] as it is."""
    near = _drawable(points)
    return near if near.shape[1] == 2 else near @ _FROM_A_CORNER


def _image_grids(samples: Samples, steps: Sequence[int], channels: int, side: int) -> Figure:
    figure, axes = _new_figure(9, 1.8, len(steps))
    black = _black(samples)
    for ax, step in zip(axes, steps, strict=True):
        images = samples.at(step)[:25].reshape(-1, channels, side, side)
        tiles = np.ones((25, channels, side + 1, side + 1))  # a white line between two images
        tiles[: len(images), :, :side, :side] = np.nan_to_num(images)
        rows = tiles.reshape(5, 5, channels, side + 1, side + 1).transpose(0, 3, 1, 4, 2)
        sheet = rows.reshape(5 * (side + 1), 5 * (side + 1), channels)
        shades = ((sheet - black) / (1 - black)).clip(0, 1).squeeze()
        ax.imshow(shades, cmap="gray", interpolation="antialiased", vmin=0, vmax=1)
        ax.set_axis_off()
        ax.set_title(f"{step:,}", fontsize=8)
    return figure


def _black(samples: Samples) -> float:
    """Value of black pixels, where 1 is white: 0 where the data never lie below it, else -1."""
    reference = samples.reference
    return 0.0 if reference is not None and len(reference) and reference.min() >= 0 else -1.0


def _image_shape(rows: Floats) -> tuple[int, int] | None:
    """Channels and side of square images among rows [n, ...]; None where they are none."""
    if rows.ndim == 4 and rows.shape[1] in (1, 3) and rows.shape[2] == rows.shape[3] > 0:
        return rows.shape[1], rows.shape[2]
    pixels = int(np.prod(rows.shape[1:]))
    side = round(pixels**0.5)
    return (1, side) if side * side == pixels and side >= 4 else None


def _drawable(values: Floats) -> Floats:
    """Cut finite values to what axes can show; infinities and NaN stay, and are not drawn."""
    return np.where(np.isfinite(values), values.clip(-_FARTHEST, _FARTHEST), values)


def _new_figure(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """Make a figure of `width` by `height` inches, and its panels beside each other."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(which="both", labelsize=8)
    return figure, list(axes)
