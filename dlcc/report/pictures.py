"""Pictures of a report, as SVG text: losses, loss-gradient cloud, samples, health."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dlcc.landscape.clouds import CurvatureClass
from dlcc.records import HealthRecord, Samples, Series
from dlcc.report.plain_text import show_as_written
from dlcc.runs.snapshot_landscape import SnapshotLandscape
from dlcc.typing import Floats

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIFTHS = ("purple", "orange", "black", "green", "yellow")
"""Colours of the fifths of the training, first to last (the loss-gradient-cloud paper)."""
PLAYER_COLOURS = {"generator": "#0b6e99", "discriminator": "#c2571a"}
_FROM_A_CORNER = np.array([[-0.5, -0.37], [0.87, -0.21], [0.0, 0.91]])  # of a box, from above
CLASS_MARKERS: dict[CurvatureClass, str] = {
    "convex": "o",
    "concave": "v",
    "saddle": "X",
    "singular": "s",
}
FARTHEST = 1e30
"""Largest size of a number that is drawn: axes end before the numbers of a diverged run do."""
_POINTS = 4_000  # of a series; more cannot be told apart on a screen
_GRID = 6  # sample grids over time


def losses(series: Series, onset: int | None, interval: tuple[int, int] | None) -> str | None:
    """Draw the losses of all players over the steps, the onset marked; None without losses."""
    names = [n for n in series.columns if n.endswith("/loss")]
    if not names:
        return None
    figure, axes = new_figure(9, 2.8)
    ax = axes[0]
    for i, name in enumerate(names):
        column = series.columns[name]
        player = name.partition("/")[0]
        steps, low, middle, high = _envelope(column.steps, drawable(column.values))
        colour = PLAYER_COLOURS.get(player, f"C{i}")
        ax.fill_between(steps, low, high, color=colour, alpha=0.25, linewidth=0)
        ax.plot(steps, middle, color=colour, linewidth=1, label=player)
    if onset is not None:
        if interval:
            ax.axvspan(*interval, color="0.3", alpha=0.25, linewidth=0)
        ax.axvline(onset, color="0.1", linestyle="--", linewidth=1, label=f"onset, step {onset:,}")
    values = drawable(np.concatenate([series.columns[n].values for n in names]))
    values = values[np.isfinite(values)]
    if values.size and np.ptp(values) > 50:
        ax.set_yscale("symlog")
    ax.set(xlabel="step", ylabel="loss")
    ax.legend(frameon=False, fontsize=8)
    return svg_text(figure)


def cloud(series: Series, summaries: Sequence[SnapshotLandscape] = ()) -> str | None:
    """Draw gradient norm over loss, one panel a player, coloured by fifth of the training.

    Snapshots whose landscape was measured are marked by the class of the player's Hessian.
    """
    players = [
        n.partition("/")[0]
        for n in series.columns
        if n.endswith("/loss") and n.replace("/loss", "/grad_norm") in series.columns
    ]
    if not players:
        return None
    figure, axes = new_figure(9, 3.4, len(players))
    for ax, player in zip(axes, players, strict=True):
        loss = series.columns[f"{player}/loss"]
        norm = series.columns[f"{player}/grad_norm"]
        steps, at_loss, at_norm = np.intersect1d(loss.steps, norm.steps, return_indices=True)
        x, y = drawable(loss.values[at_loss]), drawable(norm.values[at_norm])
        keep = np.isfinite(x) & np.isfinite(y) & (y > 0)
        fifth = np.minimum(4, 5 * np.arange(len(steps)) // max(1, len(steps)))
        stride = max(1, len(steps) // _POINTS)
        for k, colour in enumerate(FIFTHS):
            chosen = np.flatnonzero(keep & (fifth == k))[::stride]
            ax.scatter(
                x[chosen],
                y[chosen],
                s=3,
                color=colour,
                alpha=0.5,
                linewidth=0,
                rasterized=True,
                label=f"{k * 20}-{k * 20 + 20} %",
            )
        _mark_summaries(ax, player, summaries)
        ax.set(title=player, xlabel="loss", yscale="log", facecolor="0.93")
    axes[0].set_ylabel("gradient norm")
    fifths = [(h, name) for h, name in _labelled(axes[-1:]) if name not in CLASS_MARKERS]
    axes[-1].legend(*zip(*fifths, strict=True), frameon=False, fontsize=7, markerscale=3)
    if classes := {name: h for h, name in _labelled(axes) if name in CLASS_MARKERS}:
        figure.legend(
            classes.values(),
            classes.keys(),
            loc="outside lower center",
            ncols=4,
            frameon=False,
            fontsize=8,
        )
    return svg_text(figure)


def _mark_summaries(ax: Axes, player: str, summaries: Sequence[SnapshotLandscape]) -> None:
    found = [s.survey.players[player] for s in summaries if player in s.survey.players]
    for kind, marker in CLASS_MARKERS.items():
        points = [p for p in found if p.curvature_class == kind and p.gradient_norm > 0]
        if points:
            x, y = drawable(np.array([(p.loss, p.gradient_norm) for p in points])).T
            ax.scatter(
                x,
                y,
                s=34,
                marker=marker,
                facecolor="white",
                edgecolor="0.1",
                linewidth=0.9,
                zorder=3,
                label=kind,
            )


def _labelled(axes: Sequence[Axes]) -> Iterator[tuple[Artist, str]]:
    for ax in axes:
        yield from zip(*ax.get_legend_handles_labels(), strict=True)


def sample_grids(samples: Samples) -> str | None:
    """Draw samples over time as SVG; see `samples_over_time`."""
    figure = samples_over_time(samples)
    return None if figure is None else svg_text(figure)


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


def health_curve(health: HealthRecord) -> str | None:
    """Draw coverage, quality and P(good) at the sample steps."""
    if len(health.checkpoints) < 2:
        return None
    figure, axes = new_figure(9, 2.2)
    ax = axes[0]
    for values, label, colour in (
        (health.coverage, "coverage of the training data", "#0b6e99"),
        (health.quality, "samples among the training data", "#c2571a"),
        (health.good, "P(good)", "0.2"),
    ):
        if np.isfinite(values).any():
            style = "--" if label == "P(good)" else "-"
            ax.plot(health.checkpoints, values, style, color=colour, linewidth=1.2, label=label)
    if health.onset is not None:
        ax.axvline(health.onset, color="0.1", linestyle=":", linewidth=1)
    ax.set(xlabel="step", ylim=(-0.03, 1.03))
    ax.legend(frameon=False, fontsize=8, ncols=3)
    return svg_text(figure)


def _point_grids(samples: Samples, steps: Sequence[int]) -> Figure:
    figure, axes = new_figure(9, 1.8, len(steps))
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
        ax.scatter(x, y, s=1.5, color=PLAYER_COLOURS["generator"], rasterized=True)
        ax.set(title=f"{step:,}", xlim=middle[0] + [-span, span], ylim=middle[1] + [-span, span])
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.title.set_fontsize(8)
    return figure


def _in_plane(points: Floats) -> Floats:
    """Project points [n, 3] to the plane as seen from a corner, [n, 2]; leave [n, 2] as it is."""
    near = drawable(points)
    return near if near.shape[1] == 2 else near @ _FROM_A_CORNER


def _image_grids(samples: Samples, steps: Sequence[int], channels: int, side: int) -> Figure:
    figure, axes = new_figure(9, 1.8, len(steps))
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


def _envelope(
    steps: NDArray[np.int64], values: Floats
) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Sum up values in at most 300 bins: first step, and 5 %, 50 % and 95 % quantile of each."""
    bins = [b for b in np.array_split(np.arange(len(steps)), min(300, len(steps))) if len(b)]
    rows = list(_bin_quantiles(values, bins))
    low, middle, high = np.array(rows).T if rows else np.zeros((3, 0))
    return steps[[b[0] for b in bins]], low, middle, high


def _bin_quantiles(values: Floats, bins: Sequence[NDArray[np.int64]]) -> Iterator[Floats]:
    for members in bins:
        finite = values[members][np.isfinite(values[members])]
        yield np.quantile(finite, [0.05, 0.5, 0.95]) if finite.size else np.full(3, np.nan)


def drawable(values: Floats) -> Floats:
    """Cut finite values to what axes can show; infinities and NaN stay, and are not drawn."""
    return np.where(np.isfinite(values), values.clip(-FARTHEST, FARTHEST), values)


def new_figure(width: float, height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """Make a figure of `width` by `height` inches, and its panels beside each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(which="both", labelsize=8)
    return figure, list(axes)


def svg_text(figure: Figure) -> str:
    """Write a figure as SVG, the same bytes each time; every text stands in it as it is."""
    import matplotlib as mpl

    text = io.StringIO()
    # of ticks that are made while drawing, the texts take the setting
    with mpl.rc_context({"svg.hashsalt": "dlcc", "svg.fonttype": "none", "text.parse_math": False}):
        show_as_written(figure)
        figure.savefig(text, format="svg", dpi=110, metadata={"Date": None})
    return text.getvalue().partition("<svg")[2].join(["<svg", ""])
