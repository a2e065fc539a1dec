"""Charts of the landscape: clouds, curvature, the game, paths, slices and gradient noise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from dlcc.charts.chart import Chart, Line, Style, Trace, drawable, points, wide_scale
from dlcc.landscape.clouds import CurvatureClass
from dlcc.landscape.summary import PlayerSummary
from dlcc.records import MeasuredLandscape, Series
from dlcc.report.text import printable
from dlcc.runs.snapshot_landscape import SnapshotLandscape
from dlcc.typing import Floats

FIFTHS = 5
_POINTS = 2_000  # of a cloud; more hide each other
_CURVES = 10  # slices of a player: more hide each other
_FIFTH_MARKERS = ("circle", "square", "triangle", "diamond", "pentagon")
_CLASS_MARKERS: dict[CurvatureClass, str] = {
    "convex": "circle",
    "concave": "triangle",
    "saddle": "cross",
    "singular": "square",
}
_OF_SPECTRA: Mapping[str, tuple[str, Style]] = {
    "largest": ("c1", "line"),
    "smallest": ("c2", "line"),
    "trace": ("dim", "dashed"),
}


def landscape_charts(
    series: Series | None, landscape: MeasuredLandscape | None, length: int, unit: str
) -> tuple[Chart, ...]:
    """Draw what was recorded and measured of the landscape; empty where nothing was."""
    summaries = landscape.surveys if landscape else ()
    batch = None if landscape is None else landscape.batch
    return (
        *(_clouds(series, summaries) if series is not None else ()),
        *_spectra(summaries, unit),
        *_game(summaries, length),
        *_rotation(summaries, unit),
        *_paths(summaries, length),
        *_slices(summaries, length),
        *(_gradient_noise(series, batch, unit) if series is not None else ()),
    )


def fifth_name(k: int) -> str:
    """Name of a fifth of the training."""
    return f"{20 * k} to {20 * k + 20} %"


def _clouds(series: Series, summaries: Sequence[SnapshotLandscape]) -> Iterator[Chart]:
    """Gradient norm over loss, a point a step, by fifth; snapshots by their curvature's class."""
    for name in series.columns:
        player, _, quantity = name.rpartition("/")
        norms = series.columns.get(f"{player}/grad_norm")
        if quantity != "loss" or norms is None:
            continue
        loss = series.columns[name]
        steps, at_loss, at_norm = np.intersect1d(loss.steps, norms.steps, return_indices=True)
        x, y = points(loss.values[at_loss], norms.values[at_norm])
        keep = np.isfinite(x) & np.isfinite(y) & (y > 0)
        fifth = np.minimum(FIFTHS - 1, FIFTHS * np.arange(len(steps)) // max(1, len(steps)))
        stride = max(1, len(steps) // _POINTS)
        chosen = [np.flatnonzero(keep & (fifth == k))[::stride] for k in range(FIFTHS)]
        traces = [
            Trace(fifth_name(k), x[rows], y[rows], colour=f"fifth{k + 1}", style="dots")
            for k, rows in enumerate(chosen)
            if len(rows)
        ]
        if not traces:
            continue
        shown = _shown(player)
        every = "every step" if stride == 1 else f"one step in {stride}"
        caption = f"Gradient norm over loss, a point for {every}, by fifth of the training."
        classes = list(_classes(player, summaries))
        if classes:
            caption += " Shapes: what the Hessian says of the point at a snapshot."
        yield Chart(
            f"cloud-{shown}", f"Loss-gradient cloud, {shown}", caption, "loss",
            "gradient norm", (*traces, *classes), x_scale=wide_scale(x[keep]), y_scale="log",
        )  # fmt: skip


def _classes(player: str, summaries: Sequence[SnapshotLandscape]) -> Iterator[Trace]:
    found = [s.survey.players[player] for s in summaries if player in s.survey.players]
    for name, marker in _CLASS_MARKERS.items():
        own = [p for p in found if p.curvature_class == name and p.gradient_norm > 0]
        if own:
            x, y = drawable(np.array([(p.loss, p.gradient_norm) for p in own])).T
            yield Trace(name, x, y, colour="ink", style="marks", marker=marker)


def _spectra(summaries: Sequence[SnapshotLandscape], unit: str) -> Iterator[Chart]:
    """Both ends of each player's Hessian over the steps, their errors as bands, and its trace."""
    for player, steps, found in _by_player(summaries):
        traces = []
        for name, (colour, style) in _OF_SPECTRA.items():
            values = _values(found, name)
            off = np.abs(_values(found, f"{name}_error"))
            x, y = points(steps, values)
            title = "trace" if name == "trace" else f"{name} eigenvalue"
            traces.append(Trace(title, x, y, y - off, y + off, colour=colour, style=style))
        ends = np.concatenate([traces[0].y, traces[1].y])
        yield Chart(
            f"spectrum-{_shown(player)}", f"Curvature, {_shown(player)}",
            "Both ends of the spectrum of the player's own Hessian, and its trace, at each "
            "snapshot. Bands are the errors of the estimates.",
            unit, "curvature", tuple(traces), (Line(0, axis="y", colour="dim"),),
            y_scale=wide_scale(ends), of_steps=True,
        )  # fmt: skip


def _game(summaries: Sequence[SnapshotLandscape], length: int) -> Iterator[Chart]:
    found = [(s.step, g) for s in summaries if (g := s.survey.game) and g.real]
    traces = []
    for k in range(FIFTHS):
        own = [g for step, g in found if _fifth(step, length) == k]
        if own:
            x, y = drawable(
                np.array([p for g in own for p in zip(g.real, g.imaginary, strict=True)])
            ).T
            traces.append(
                Trace(
                    fifth_name(k),
                    x,
                    y,
                    colour=f"fifth{k + 1}",
                    style="marks",
                    marker=_FIFTH_MARKERS[k],
                )
            )
    if traces:
        yield Chart(
            "game", "Eigenvalues of the game",
            "Eigenvalues of the Jacobian of the players' gradients, by fifth of the training. "
            "Those right of the vertical line attract, those left of it repel, and those far "
            "from the horizontal one turn.",
            "real part", "imaginary part", tuple(traces),
            (Line(0, colour="ink"), Line(0, axis="y", colour="dim")),
            x_scale=wide_scale(np.concatenate([t.x for t in traces])),
            y_scale=wide_scale(np.concatenate([t.y for t in traces])),
        )  # fmt: skip


def _rotation(summaries: Sequence[SnapshotLandscape], unit: str) -> Iterator[Chart]:
    found = [(s.step, g.rotation) for s in summaries if (g := s.survey.game) and g.real]
    if found:
        x, y = points(*zip(*found, strict=True))
        yield Chart(
            "rotation", "Rotation of the game",
            "Sum of the imaginary parts' sizes over the sum of the eigenvalues' sizes: 0 where "
            "every player descends a loss of its own, 1 where they only turn around each other.",
            unit, "rotation", (Trace("rotation", x, y),), y_limits=(-0.03, 1.03), of_steps=True,
        )  # fmt: skip


def _paths(summaries: Sequence[SnapshotLandscape], length: int) -> Iterator[Chart]:
    last = {_fifth(s.step, length): s for s in summaries if s.survey.path and s.survey.path.at}
    traces = []
    for k, record in sorted(last.items()):
        path = record.survey.path
        if path is not None:
            since = "" if record.since is None else f"{record.since:,} "
            traces.append(
                Trace(
                    f"steps {since}to {record.step:,}",
                    *_sorted(path.at, path.cosine),
                    colour=f"fifth{k + 1}",
                )
            )
    if traces:
        yield Chart(
            "path", "Direction along the path",
            "Cosine of the angle between the players' gradients and the way from the snapshot "
            "before (0) to the snapshot (1), for the last way of each fifth of the training. "
            "Above 0 the gradients point on, below it back.",
            "place on the way", "cosine", tuple(traces),
            (Line(0, axis="y", colour="dim"), Line(0, colour="dim"), Line(1, colour="dim")),
        )  # fmt: skip


def _slices(summaries: Sequence[SnapshotLandscape], length: int) -> Iterator[Chart]:
    for player, steps, found in _by_player(summaries):
        traces, named = [], set()
        for i in _spread([i for i, p in enumerate(found) if p.slice_at]):
            at, losses = _sorted(found[i].slice_at, found[i].slice_losses)
            k = _fifth(steps[i], length)
            title = f"step {steps[i]:,}"
            named.add(k)
            traces.append(
                Trace(title, at, losses - drawable(np.array([found[i].loss]))[0],
                      colour=f"fifth{k + 1}")
            )  # fmt: skip
        if traces:
            yield Chart(
                f"slices-{_shown(player)}", f"Slices through the loss, {_shown(player)}",
                "Loss along a line through the weights at a snapshot, minus the loss there.",
                "step size in units of the weight norm", "loss minus loss at the snapshot",
                tuple(traces), (Line(0, colour="dim"),),
                y_scale=wide_scale(np.concatenate([t.y for t in traces])),
            )  # fmt: skip


def _gradient_noise(series: Series, batch: int | None, unit: str) -> Iterator[Chart]:
    traces = []
    for name, column in series.columns.items():
        player, _, quantity = name.rpartition("/")
        if quantity != "grad_noise_scale":
            continue
        x, y = points(column.steps, column.values)
        known = np.isfinite(y) & (y > 0)
        if known.any():
            colour = "c2" if player == "discriminator" else "c1"
            traces.append(Trace(_shown(player), x[known], y[known], colour=colour, style="dots"))
    if traces:
        lines = () if batch is None else (Line(batch, "batch", axis="y"),)
        held = "" if batch is None else f" The line is the batch of {batch:,} rows."
        yield Chart(
            "gradient-noise", "Gradient noise scale",
            "Rows of a batch at which noise and gradient are equally large: a batch far below it "
            f"sees mostly noise.{held}",
            unit, "rows", tuple(traces), lines, y_scale="log", of_steps=True,
        )  # fmt: skip


def _by_player(
    summaries: Sequence[SnapshotLandscape],
) -> Iterator[tuple[str, list[int], list[PlayerSummary]]]:
    """Player, steps, and what was found of it there."""
    for player in sorted({p for s in summaries for p in s.survey.players}):
        own = [(s.step, s.survey.players[player]) for s in summaries if player in s.survey.players]
        yield player, [step for step, _ in own], [found for _, found in own]


def _values(found: Sequence[PlayerSummary], name: str) -> Floats:
    return drawable(np.array([getattr(p, name) for p in found], dtype=np.float64))


def _sorted(at: ArrayLike, values: Sequence[float | None]) -> tuple[Floats, Floats]:
    places, heights = points(at, np.array(values, dtype=np.float64))  # None becomes NaN
    order = np.argsort(places)
    return drawable(places[order]), heights[order]


def _fifth(step: int, length: int) -> int:
    return min(max(FIFTHS * step // length, 0), FIFTHS - 1)


def _spread(rows: Sequence[int]) -> list[int]:
    if not rows:
        return []
    chosen = np.linspace(0, len(rows) - 1, min(len(rows), _CURVES)).round().astype(int)
    return [rows[int(i)] for i in np.unique(chosen)]


def _shown(player: str) -> str:
    return str(printable(player))
