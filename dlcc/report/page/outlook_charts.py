"""Charts of what is to be expected: the forecast over time, and reruns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlcc.charts.chart import Chart, Line, Trace, points
from dlcc.estimate import Estimate
from dlcc.records import Forecast, HealthRecord, Reruns

MARKERS = {
    "healthy": "circle",
    "weak": "triangle",
    "oscillating": "diamond",
    "collapsed": "square",
    "diverged": "cross",
}
"""Label -> shape of its mark; any other label has a pentagon."""
COLOURS = {
    "healthy": "healthy",
    "weak": "weak",
    "oscillating": "oscillating",
    "collapsed": "collapsed",
    "diverged": "ink",
}
"""Label -> colour of its mark."""
_KINDS = {"seed": "other seeds", "batches": "other batches", "setting": "other settings"}
_APART = 0.16  # rows between two marks on each other
_NEAR = 0.012  # share of the axis that a mark takes


def forecast_chart(forecast: Forecast) -> Chart:
    """P(healthy) and stability, with 90 % bars, over the share of the length that was seen."""
    seen = [100 * p.seen for p in forecast.over_time]
    traces = [
        _estimates("P(healthy at the end)", seen, [p.p_healthy for p in forecast.over_time], "c1"),
        _estimates(
            "share of good sample steps in the second half",
            seen, [p.stability for p in forecast.over_time], "c2",
        ),
    ]  # fmt: skip
    caption = (
        "As it was when so much of the length was recorded, by past runs like it. Bands are 90 % "
        "intervals."
    )
    if (curve := forecast.diffusion) is not None:
        name = "a Bass curve" if curve.curve == "bass" else "a logistic curve"
        times = 100 * np.asarray(curve.times)
        traces.append(
            Trace("coverage observed", *points(times, curve.observed), colour="dim", style="dots")
        )
        ahead_x = [*times, 100 * curve.horizon]
        ahead_y = [*np.asarray(curve.fitted), curve.expected]
        traces.append(Trace(name, *points(ahead_x, ahead_y), colour="dim", style="dashed"))
        low, high = curve.interval
        caption += (
            f" Grey: coverage of the real data, and {name} through it: {curve.expected:.2f} "
            f"({low:.2f} to {high:.2f}) at {100 * curve.horizon:.0f} % of the length."
        )
    return Chart(
        "forecast", "Forecast over time", caption,
        "share of the length recorded, %", "probability or share", tuple(traces),
        y_limits=(-0.03, 1.03),
    )  # fmt: skip


def rerun_chart(reruns: Reruns, health: HealthRecord | None) -> Chart:
    """A mark for each rerun at its stability, in a row of its kind; the line is the run's own."""
    kinds = [k for k in _KINDS if any(o.kind == k for o in reruns.outcomes)]
    rows = {kind: float(len(kinds) - 1 - i) for i, kind in enumerate(kinds)}
    found: dict[str, list[tuple[float, float]]] = {}
    for kind in kinds:
        chosen = sorted((o for o in reruns.outcomes if o.kind == kind), key=lambda o: o.stability)
        levels = _levels([o.stability for o in chosen])
        for outcome, level in zip(chosen, levels, strict=True):
            place = (float(outcome.stability), rows[kind] + _APART * level)
            found.setdefault(outcome.label, []).append(place)
    traces = tuple(
        Trace(
            f"{label} ({len(places)})", *points(*zip(*places, strict=True)),
            colour=COLOURS.get(label, "c4"), style="marks",
            marker=MARKERS.get(label, "pentagon"),
        )
        for label, places in sorted(found.items())
    )  # fmt: skip
    own = () if health is None else (Line(float(health.stability.mean), "this run"),)
    return Chart(
        "reruns", "Reruns", "A mark for each rerun. The line is this run.",
        "share of good sample steps in the second half", "", traces, own,
        x_limits=(-0.03, 1.03), y_limits=(-0.6, len(kinds) - 0.4),
        y_names={rows[k]: _KINDS[k] for k in kinds},
    )  # fmt: skip


def _estimates(name: str, seen: Sequence[float], of: Sequence[Estimate], colour: str) -> Trace:
    ends = np.array([e.interval(0.9) for e in of]).reshape(-1, 2)
    x, y = points(seen, [e.mean for e in of])
    return Trace(name, x, y, ends[:, 0], ends[:, 1], colour=colour)


def _levels(places: Sequence[float]) -> list[int]:
    """Rows up or down for each mark so that few lie on each other; places ascend."""
    levels: list[int] = []
    for k, place in enumerate(places):
        taken = {levels[j] for j in range(k) if place - places[j] < _NEAR}
        free = [level for level in (0, 1, -1, 2, -2) if level not in taken]
        levels.append(free[0] if free else (0, 1, -1, 2, -2)[k % 5])
    return levels
