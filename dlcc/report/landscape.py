"""Pictures of what was measured of the landscape: curvature, game, path, slices, gradient noise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from dlcc.landscape.summary import PlayerSummary
from dlcc.records import Series
from dlcc.report.pictures import FARTHEST, FIFTHS, PLAYER_COLOURS, new_figure, svg_text
from dlcc.runs.snapshot_landscape import SnapshotLandscape
from dlcc.typing import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = ("o", "s", "^", "D", "v")  # of the fifths, for who cannot tell their colours
_DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
_CURVES = 10  # slices of a player, paths: more hide each other
_GREY = "0.93"  # yellow cannot be seen on white


def spectrum(summaries: Sequence[SnapshotLandscape]) -> str | None:
    """Both ends of each player's Hessian over the steps, their errors as bands, and its trace."""
    panels = list(_by_player(summaries))
    if not panels:
        return None
    figure, axes = new_figure(9, 3.1, len(panels))
    for ax, (player, steps, found) in zip(axes, panels, strict=True):
        colour = PLAYER_COLOURS.get(player, "C0")
        for name, style, error in (
            ("largest", "-^", "largest_error"),
            ("smallest", "--v", "smallest_error"),
        ):
            values, off = _clipped(found, name), np.abs(_clipped(found, error))
            ax.fill_between(steps, values - off, values + off, color=colour, alpha=0.25, lw=0)
            ax.plot(steps, values, style, color=colour, lw=1.1, ms=4, label=f"{name} eigenvalue")
        values, off = _clipped(found, "trace"), np.abs(_clipped(found, "trace_error"))
        ax.errorbar(
            steps, values, off, fmt=":", color="0.35", lw=1.1, elinewidth=0.6, label="trace"
        )
        ax.axhline(0, color="0.6", lw=0.6)
        _wide_scale(ax, "y", np.concatenate([_clipped(found, n) for n in ("largest", "smallest")]))
        ax.set(title=player, xlabel="step")
    axes[0].set_ylabel("of the player's Hessian")
    axes[-1].legend(frameon=False, fontsize=7)
    return svg_text(figure)


def game(summaries: Sequence[SnapshotLandscape], length: int) -> str | None:
    """Eigenvalues of the game in the complex plane by fifth of the training; rotation over it."""
    found = [(s.step, g) for s in summaries if (g := s.survey.game) and g.real]
    if not found:
        return None
    figure, (plane, over_time) = new_figure(9, 3.6, 2)
    everything = []
    for k, (colour, marker) in enumerate(zip(FIFTHS, _MARKERS, strict=True)):
        own = [g for step, g in found if _fifth(step, length) == k]
        if not own:
            continue
        values = np.array([pair for g in own for pair in zip(g.real, g.imaginary, strict=True)])
        values = values.clip(-FARTHEST, FARTHEST)
        everything.append(values)
        x, y = values.T
        plane.scatter(
            x,
            y,
            s=11,
            marker=marker,
            color=colour,
            alpha=0.6,
            linewidth=0,
            rasterized=True,
            label=f"{k * 20}-{k * 20 + 20} %",
        )
    plane.axvline(0, color="0.1", lw=1)
    plane.axhline(0, color="0.6", lw=0.6)
    for axis, values in zip("xy", np.concatenate(everything).T, strict=True):
        _wide_scale(plane, axis, values)
    plane.set(xlabel="real part", ylabel="imaginary part", facecolor=_GREY)
    plane.legend(frameon=False, fontsize=7, markerscale=2)
    over_time.plot(
        *zip(*[(step, g.rotation) for step, g in found], strict=True),
        "o-",
        color="0.2",
        lw=1.1,
        ms=4,
    )
    over_time.set(xlabel="step", ylabel="rotation  Σ |Im λ| / Σ |λ|", ylim=(-0.03, 1.03))
    return svg_text(figure)


def path_angle(summaries: Sequence[SnapshotLandscape], length: int) -> str | None:
    """Cosine of the angle between the field and the way from the snapshot before, a curve for the
    last way of each fifth."""
    last = {_fifth(s.step, length): s for s in summaries if s.survey.path and s.survey.path.at}
    if not last:
        return None
    figure, (ax,) = new_figure(9, 2.8)
    for k, record in sorted(last.items()):
        path = record.survey.path
        if path is None:
            continue
        since = "" if record.since is None else f"{record.since:,} "
        ax.plot(
            *_sorted(path.at, path.cosine),
            color=FIFTHS[k],
            linestyle=_DASHES[k],
            lw=1.4,
            label=f"steps {since}to {record.step:,}",
        )
    ax.axhline(0, color="0.6", lw=0.6)
    for place in (0, 1):
        ax.axvline(place, color="0.4", lw=0.8, linestyle=":")
    ax.set_xticks([0, 1], ["snapshot before", "snapshot"])
    ax.set(ylabel="cosine of field and way", facecolor=_GREY)
    ax.legend(frameon=False, fontsize=7)
    return svg_text(figure)


def slices(summaries: Sequence[SnapshotLandscape], length: int) -> str | None:
    """Loss along a line through each point, less the loss there, a curve a snapshot."""
    panels = [panel for panel in _by_player(summaries) if any(p.slice_at for p in panel[2])]
    if not panels:
        return None
    figure, axes = new_figure(9, 3.1, len(panels))
    for ax, (player, steps, found) in zip(axes, panels, strict=True):
        drawn, named = [], set()
        for i in _spread(len(found)):
            at, losses = _sorted(found[i].slice_at, found[i].slice_losses)
            above, k = (
                losses - np.clip(found[i].loss, -FARTHEST, FARTHEST),
                _fifth(steps[i], length),
            )
            label = None if k in named else f"{k * 20}-{k * 20 + 20} %"
            named.add(k)
            ax.plot(at, above, color=FIFTHS[k], linestyle=_DASHES[k], lw=1.1, label=label)
            drawn.append(above)
        _wide_scale(ax, "y", np.concatenate(drawn), decades=2)
        ax.axvline(0, color="0.4", lw=0.8, linestyle=":")
        ax.set(title=player, xlabel="step size in units of the weight norm", facecolor=_GREY)
    axes[0].set_ylabel("loss minus the loss at the snapshot")
    axes[-1].legend(frameon=False, fontsize=7)
    return svg_text(figure)


def gradient_noise(series: Series, batch: int | None) -> str | None:
    """Each player's gradient-noise scale over the steps, against the batch; what is infinite stands
    at the upper edge."""
    columns = {
        name.rpartition("/")[0]: column
        for name, column in series.columns.items()
        if name.endswith("/grad_noise_scale") and np.isfinite(column.values).any()
    }
    if not columns:
        return None
    figure, (ax,) = new_figure(9, 2.6)
    for i, (player, column) in enumerate(columns.items()):
        marker, colour = ("o", "s", "^")[i % 3], PLAYER_COLOURS.get(player, f"C{i}")
        finite = np.isfinite(column.values) & (column.values > 0)
        x, y = column.steps[finite], column.values[finite].clip(1e-30, FARTHEST)
        ax.scatter(
            x,
            y,
            s=7 if len(x) > 200 else 16,
            marker=marker,
            color=colour,
            alpha=0.5,
            linewidth=0,
            rasterized=True,
            label=player,
        )
        endless = column.steps[np.isposinf(column.values)]
        ax.plot(
            endless,
            np.full(len(endless), 0.99 - 0.03 * i),
            "|",
            color=colour,
            ms=5,
            transform=ax.get_xaxis_transform(),
            rasterized=True,
        )
    if batch is not None:
        ax.axhline(batch, color="0.1", lw=1, linestyle="--", label=f"batch, {batch:,} rows")
    ax.set(xlabel="step", ylabel="noise scale, rows", yscale="log")
    ax.legend(frameon=False, fontsize=8)
    return svg_text(figure)


def _by_player(
    summaries: Sequence[SnapshotLandscape],
) -> Iterator[tuple[str, list[int], list[PlayerSummary]]]:
    """Player, steps, and what was found of it there."""
    for player in sorted({p for s in summaries for p in s.survey.players}):
        own = [(s.step, s.survey.players[player]) for s in summaries if player in s.survey.players]
        yield player, [step for step, _ in own], [found for _, found in own]


def _clipped(found: Sequence[PlayerSummary], name: str) -> Floats:
    values = np.array([getattr(p, name) for p in found], dtype=np.float64)
    return values.clip(-FARTHEST, FARTHEST)


def _sorted(at: ArrayLike, values: Sequence[float | None]) -> tuple[Floats, Floats]:
    places = np.asarray(at, dtype=np.float64).clip(-FARTHEST, FARTHEST)
    order = np.argsort(places)
    # what is None becomes NaN
    return places[order], np.array(values, dtype=np.float64)[order].clip(-FARTHEST, FARTHEST)


def _fifth(step: int, length: int) -> int:
    return min(max(len(FIFTHS) * step // length, 0), len(FIFTHS) - 1)


def _spread(count: int) -> list[int]:
    chosen = np.linspace(0, count - 1, min(count, _CURVES)).round().astype(int)
    return [int(i) for i in np.unique(chosen)]


def _wide_scale(ax: Axes, axis: str, values: Floats, decades: int = 3) -> None:
    """A scale that is linear up to so many decades below the largest number, then logarithmic,
    where sizes differ that much."""
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    if sizes.size and sizes.max() > 30 * np.median(sizes):
        linear = 10.0 ** (np.floor(np.log10(sizes.max())) - decades)
        getattr(ax, f"set_{axis}scale")("symlog", linthresh=linear)
