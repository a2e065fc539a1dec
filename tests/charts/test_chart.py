"""Charts as data: ranges, thinning, and what cannot be drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.charts.chart import (
    BINS,
    FARTHEST,
    MOST_POINTS,
    Chart,
    Line,
    Span,
    Trace,
    points,
    rows_a_point,
    thinned,
    wide_scale,
)
from dlcc.charts.geometry import HEIGHT, WIDTH, Axis, geometry, number_text
from dlcc.report.page.payload import payload

ANY = st.floats(allow_nan=True, allow_infinity=True)


def chart(*traces: Trace, **options: object) -> Chart:
    return Chart("k", "Title", "Caption.", "step", "loss", traces, **options)  # type: ignore[arg-type]


@given(st.dictionaries(st.integers(0, 4_999), ANY, max_size=20))
def test_a_long_series_keeps_its_least_and_its_largest_value(odd: dict[int, float]) -> None:
    values = np.random.default_rng(0).normal(size=5_000)
    values[list(odd)] = list(odd.values())
    trace = thinned("x", np.arange(len(values)), values, "c1")
    finite = values[np.isfinite(values)].clip(-FARTHEST, FARTHEST)
    assert len(trace.x) == BINS
    assert trace.low is not None
    assert trace.high is not None
    if finite.size:
        assert np.nanmin(trace.low) == finite.min()
        assert np.nanmax(trace.high) == finite.max()
    known = np.isfinite(trace.y)
    assert (trace.low[known] <= trace.y[known]).all()
    assert (trace.y[known] <= trace.high[known]).all()


def test_a_short_series_is_drawn_row_by_row() -> None:
    values = np.random.default_rng(0).normal(size=MOST_POINTS)
    trace = thinned("x", np.arange(MOST_POINTS), values, "c1")
    assert trace.low is None
    assert np.array_equal(trace.y, values)
    assert rows_a_point(MOST_POINTS) == 1
    assert rows_a_point(3_000) == 5


@given(st.lists(st.tuples(ANY, ANY), max_size=30), st.sampled_from(["linear", "log", "symlog"]))
def test_whatever_the_values_a_drawing_stays_within_its_bounds(
    rows: list[tuple[float, float]], scale: str
) -> None:
    x, y = points(*(np.array(rows).reshape(-1, 2).T))
    drawn = geometry(chart(Trace("a", np.sort(np.nan_to_num(x)), y), y_scale=scale))
    for path in drawn.paths:
        pairs = path.d.replace("M", " ").replace("L", " ").split()
        assert all(-WIDTH <= float(p) <= 2 * max(WIDTH, HEIGHT) for p in pairs)
    for tick in (*drawn.x_ticks, *drawn.y_ticks):
        assert -1e-6 <= tick.at <= 100 + 1e-6
        assert "nan" not in tick.text
    assert len(drawn.y_ticks) <= 7


@given(st.lists(st.tuples(ANY, ANY), max_size=20))
def test_a_payload_is_json_that_can_stand_in_a_script(rows: list[tuple[float, float]]) -> None:
    x, y = points(*(np.array(rows).reshape(-1, 2).T))
    text = payload(chart(Trace("</script><b>", x, y, y, y)))
    assert "<" not in text
    found = json.loads(text)["traces"][0]
    for sent, value in zip(found["y"], y, strict=True):
        assert sent is None if not np.isfinite(value) else np.isclose(sent, value, rtol=1e-4)


def test_axes_place_their_ends_at_the_ends() -> None:
    for axis in (Axis(-2, 7), Axis(0.1, 1e4, "log"), Axis(-5, 900, "symlog", 0.9)):
        assert axis.place(np.array([axis.low, axis.high])) == pytest.approx([0, 1])
        ticks = axis.ticks()
        assert 2 <= len(ticks) <= 7
        assert all(axis.low <= t <= axis.high for t in ticks)
        assert ticks == sorted(ticks)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (1e-300, 2e-300), (-1e30, 1e30), (3, 3.0000001), (0, 1)]
)
def test_any_linear_axis_has_ticks(low: float, high: float) -> None:
    ticks = Axis(low, high).ticks()
    assert ticks
    assert all(np.isfinite(ticks))


def test_lines_spans_and_names_are_placed() -> None:
    drawn = geometry(
        chart(
            Trace("a", *points([0, 10], [0, 1])),
            lines=(Line(5, "onset", colour="bad"), Line(50, "outside")),
            spans=(Span(2, 99),),
        )
    )
    assert [(n.at, n.text) for n in drawn.names] == [(50.0, "onset")]
    assert [p.style for p in drawn.paths] == ["span", "line", "rule"]
    assert drawn.paths[0].d.startswith(f"M{WIDTH * 0.2:.0f} ")


def test_gaps_break_lines_and_bands() -> None:
    y = np.array([1.0, np.nan, 2.0, 3.0])
    paths = geometry(chart(Trace("a", np.arange(4.0), y, y, y))).paths
    drawn = {path.style: path.d for path in paths}
    assert drawn["line"].count("M") == 2
    assert drawn["band"].count("Z") == 2


def test_marks_say_what_they_are() -> None:
    lone = Trace("weak", *points([1.5], [0.25]), style="marks", marker="triangle")
    mark = geometry(chart(lone)).marks[0]
    assert (mark.marker, mark.title) == ("triangle", "weak: 1.5, 0.25")


def test_scales_and_numbers() -> None:
    assert wide_scale([]) == "linear"
    assert wide_scale([0.0, 0.0]) == "linear"
    assert wide_scale([1.0, 1.0, 100.0]) == "symlog"
    assert [number_text(v) for v in (1.0, 1234.5, 1e-9, -1e9)] == ["1", "1,234", "1e-9", "-1e9"]
