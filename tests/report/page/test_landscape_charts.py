"""Charts of the landscape: what they hold, and numbers that mean harm."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dlcc.charts.chart import FARTHEST, Chart
from dlcc.charts.geometry import geometry
from dlcc.records import Column, MeasuredLandscape, Series
from dlcc.report.page.landscape_charts import landscape_charts
from dlcc.report.page.payload import payload
from dlcc.runs.snapshot_landscape import SnapshotLandscape
from tests.landscape_summaries import game, path, player, record

LENGTH = 1_000
STEPS = range(0, 1_001, 100)
SUMMARIES = tuple(
    record(s, of_game=game(2, 0.1 + 1j, 0.1 - 1j), way=path() if s else None) for s in STEPS
)
HUGE = 1.7e308


def column(values: np.ndarray) -> Column:
    return Column(np.arange(len(values)), values, np.full(len(values), np.nan))


def drawn(
    summaries: tuple[SnapshotLandscape, ...] = (), batch: int | None = 32, **columns: np.ndarray
) -> dict[str, Chart]:
    series = Series({f"generator/{name}": column(values) for name, values in columns.items()})
    found = MeasuredLandscape(clouds={}, measured={}, surveys=summaries, batch=batch)
    return {chart.title: chart for chart in landscape_charts(series, found, LENGTH, "step")}


def test_charts_name_what_they_show() -> None:
    found = drawn(SUMMARIES, grad_noise_scale=np.arange(1, 50.0))
    assert list(found) == [
        "Curvature, discriminator", "Curvature, generator", "Eigenvalues of the game",
        "Rotation of the game", "Direction along the path",
        "Slices through the loss, discriminator", "Slices through the loss, generator",
        "Gradient noise scale",
    ]  # fmt: skip
    curvature = [t.name for t in found["Curvature, generator"].traces]
    assert curvature == ["largest eigenvalue", "smallest eigenvalue", "trace"]
    ways = [t.name for t in found["Direction along the path"].traces]
    assert "steps 0 to 100" in ways
    assert "steps 900 to 1,000" in ways
    assert "32 rows" in found["Gradient noise scale"].caption
    assert all(chart.x_label for chart in found.values())


def test_without_numbers_there_is_no_chart() -> None:
    assert not drawn(tuple(record(s, {}, None) for s in STEPS), grad_noise_scale=np.full(9, np.inf))
    assert not landscape_charts(None, None, LENGTH, "step")


@pytest.mark.parametrize("step", [0, 10**15])
def test_numbers_that_mean_harm_are_drawn_to_a_bound(step: int) -> None:
    wild = player(
        -HUGE, HUGE, loss=HUGE, gradient_norm=HUGE, largest_error=HUGE, smallest_error=-HUGE,
        trace=-HUGE, trace_error=HUGE, slice_at=(HUGE, -HUGE, 0.0),
        slice_losses=(None, HUGE, -HUGE),
    )  # fmt: skip
    turn = replace(game(), real=(HUGE, 0.0), imaginary=(-HUGE, 5e-324), errors=(-1.0, HUGE))
    way = replace(path(), at=(HUGE, 0.0), cosine=(HUGE, -HUGE), norm=(0.0, 0.0))
    summaries = (record(step, {"$x_y": wild}, replace(turn, rotation=HUGE), way),)
    found = drawn(
        (replace(summaries[0], since=-(10**15)),),
        loss=np.where(np.arange(60) % 2, HUGE, -HUGE),
        grad_norm=np.where(np.arange(60) % 2, HUGE, 1e-308),
        grad_noise_scale=np.array([HUGE, 5e-324, -1.0, np.nan, np.inf]),
    )
    assert len(found) == 7
    for chart in found.values():
        for trace in chart.traces:
            assert np.nanmax(np.abs(trace.y), initial=0) <= 2 * FARTHEST
        assert geometry(chart).y_ticks
        assert payload(chart)


def test_measured_points_are_marked_on_the_cloud_by_shape() -> None:
    rng = np.random.default_rng(0)
    kinds = {
        "convex": player(0.5, 2.0), "concave": player(-2.0, -0.5), "saddle": player(-1.0, 2.0),
        "singular": player(0.0, 2.0),
    }  # fmt: skip
    summaries = tuple(record(k, {"generator": p}) for k, p in enumerate(kinds.values()))
    columns = {"loss": rng.normal(size=90), "grad_norm": rng.exponential(size=90)}
    marks = [t for t in drawn(summaries, **columns)["Loss-gradient cloud, generator"].traces
             if t.style == "marks"]  # fmt: skip
    assert {t.name for t in marks} == set(kinds)
    assert len({t.marker for t in marks}) == len(kinds)
    bare = drawn(**columns)["Loss-gradient cloud, generator"].traces
    assert [t.name for t in bare] == [
        "0 to 20 %", "20 to 40 %", "40 to 60 %", "60 to 80 %", "80 to 100 %",
    ]  # fmt: skip
