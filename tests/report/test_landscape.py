"""The landscape in the report: its pictures, its section, its part of report.json."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import numpy as np
import pytest

from dlcc import evaluate
from dlcc.evaluation import Evaluation
from dlcc.landscape.clouds import gradient_cloud
from dlcc.records import (
    Column,
    HealthRecord,
    MeasuredLandscape,
    MeasuredSeries,
    PlayerCloud,
    Series,
)
from dlcc.report import Report, html, landscape, pictures
from dlcc.report.landscape_record import landscape_record
from dlcc.runs.snapshot_landscape import SnapshotLandscape
from tests.landscape_summaries import game, path, player, put_summaries, record

LENGTH = 1_000
STEPS = range(0, 1_001, 100)
SUMMARIES = tuple(
    record(s, of_game=game(2, 0.1 + 1j, 0.1 - 1j), way=path() if s else None) for s in STEPS
)
HUGE = 1.7e308
TITLES = (
    "Loss-gradient cloud", "Curvature over time", "The game", "The way between snapshots",
    "Slices", "Gradient noise",
)  # fmt: skip


def column(values: np.ndarray) -> Column:
    return Column(np.arange(len(values)), values, np.full(len(values), np.nan))


def noise(values: np.ndarray) -> Series:
    return Series({"generator/grad_noise_scale": column(values)})


def texts(svg: str) -> set[str]:
    """What stands in a picture, which is well-formed."""
    return {"".join(e.itertext()).strip() for e in ElementTree.fromstring(svg).iter()}


def measured(summaries: tuple[SnapshotLandscape, ...] = SUMMARIES) -> MeasuredLandscape:
    rng = np.random.default_rng(0)
    cloud = gradient_cloud(rng.normal(size=60), rng.exponential(size=60), length=LENGTH)
    return MeasuredLandscape(
        clouds={"generator": PlayerCloud(cloud.whole, cloud.fifths, cloud.left_out)},
        measured={
            "generator/grad_noise_scale": MeasuredSeries(
                (3, 2, 0, 0, 1), (10.0, np.inf, np.nan, np.nan, 9.0)
            )
        },
        surveys=summaries,
        batch=32,
    )


# --- pictures -------------------------------------------------------------------------------------


def test_every_picture_is_well_formed_and_the_same_each_time() -> None:
    for draw in (
        lambda: landscape.spectrum(SUMMARIES),
        lambda: landscape.game(SUMMARIES, LENGTH),
        lambda: landscape.path_angle(SUMMARIES, LENGTH),
        lambda: landscape.slices(SUMMARIES, LENGTH),
        lambda: landscape.gradient_noise(noise(np.r_[np.inf, np.arange(50.0)]), 32),
    ):
        svg = draw()
        assert svg is not None
        assert texts(svg)
        assert draw() == svg


def test_pictures_name_what_they_show() -> None:
    spectrum = texts(landscape.spectrum(SUMMARIES) or "")
    assert {"discriminator", "generator", "largest eigenvalue", "trace"} <= spectrum
    assert {"0-20 %", "80-100 %", "real part"} <= texts(landscape.game(SUMMARIES, LENGTH) or "")
    way = texts(landscape.path_angle(SUMMARIES, LENGTH) or "")
    assert {"steps 0 to 100", "steps 900 to 1,000", "snapshot before"} <= way
    drawn = texts(landscape.gradient_noise(noise(np.arange(1, 50.0)), 32) or "")
    assert "batch, 32 rows" in drawn


def test_without_numbers_there_is_no_picture() -> None:
    alone = tuple(record(s, {}, None) for s in STEPS)
    assert landscape.spectrum(alone) is None
    assert landscape.game(alone, LENGTH) is None
    assert landscape.path_angle(alone, LENGTH) is None
    assert landscape.slices(alone, LENGTH) is None
    assert landscape.gradient_noise(noise(np.full(9, np.inf)), 32) is None
    assert landscape.gradient_noise(Series({}), 32) is None


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
    summaries = (replace(summaries[0], since=-(10**15)),)
    assert landscape.spectrum(summaries)
    assert landscape.game(summaries, LENGTH)
    assert landscape.path_angle(summaries, LENGTH)
    assert landscape.slices(summaries, LENGTH)
    assert landscape.gradient_noise(noise(np.array([HUGE, 5e-324, -1.0, np.nan, np.inf])), 1)


def test_measured_points_are_marked_on_the_cloud_by_shape() -> None:
    rng = np.random.default_rng(0)
    series = Series({
        "generator/loss": column(rng.normal(size=90)),
        "generator/grad_norm": column(rng.exponential(size=90)),
    })  # fmt: skip
    kinds = {
        "convex": player(0.5, 2.0), "concave": player(-2.0, -0.5), "saddle": player(-1.0, 2.0),
        "singular": player(0.0, 2.0),
    }  # fmt: skip
    summaries = [record(k, {"generator": p}) for k, p in enumerate(kinds.values())]
    assert set(kinds) <= texts(pictures.cloud(series, summaries) or "")
    assert not set(kinds) & texts(pictures.cloud(series) or "")
    assert len(set(pictures.CLASS_MARKERS.values())) == len(kinds)


# --- the page -------------------------------------------------------------------------------------


def page(evaluated: Evaluation, found: MeasuredLandscape | None) -> str:
    health = evaluated.record(HealthRecord)
    return html.render(evaluated.report, evaluated.evaluated_run, health, landscape=found)


def test_a_run_without_measurements_has_its_cloud_and_no_section(evaluated: Evaluation) -> None:
    assert evaluated.measured_landscape is not None
    clouds_alone = replace(evaluated.measured_landscape, surveys=(), measured={})
    text = page(evaluated, clouds_alone)
    assert text == page(evaluated, None)
    assert "<h2>Loss-gradient cloud</h2>" in text
    assert "<h2>Landscape</h2>" not in text
    assert "<h3>" not in text


def test_what_was_measured_stands_in_one_section(evaluated: Evaluation) -> None:
    text = page(evaluated, measured())
    assert text.count("<h2>Landscape</h2>") == 1
    order = [text.index("<h2>Landscape</h2>")]
    order += [text.index(f"<h3>{title}</h3>") for title in TITLES[:-1]]
    assert order == sorted(order)
    assert text.count("<h2>") - text.count("<h2>Landscape</h2>") > 5


def test_other_summaries_are_drawn_anew(evaluated: Evaluation) -> None:
    text = page(evaluated, measured())
    assert page(evaluated, measured()) == text
    assert page(evaluated, measured(SUMMARIES[:5])) != text


# --- report.json ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("in_process")
def test_the_report_has_the_numbers(small_run: Path, tmp_path: Path) -> None:
    steps = put_summaries(small_run)
    report = evaluate(small_run, only=["landscape"], out=tmp_path / "out").report
    plain = json.loads((tmp_path / "out" / "report.json").read_text())
    jsonschema.validate(instance=plain, schema=Report.model_json_schema(by_alias=True))
    found = plain["landscape"]
    assert set(found["clouds"]) == {"discriminator", "generator"}
    assert [s["step"] for s in found["surveys"]] == steps
    first = found["surveys"][0]
    assert first["players"]["generator"]["largest"] == 2.0
    assert first["players"]["generator"]["curvature_class"] == "saddle"
    assert first["game"]["nearest_axis"] == [1.0, 0.5]
    assert Report.from_json(report.to_json()).landscape is not None
    assert "<h2>Landscape</h2>" in (tmp_path / "out" / "report.html").read_text()
    assert re.search(r"white marks", (tmp_path / "out" / "report.html").read_text(), re.I)


def test_what_is_infinite_or_unknown_is_null() -> None:
    its = landscape_record(measured()).measured["generator/grad_noise_scale"]
    assert its.rows == (3, 2, 0, 0, 1)
    assert its.medians == (10.0, None, None, None, 9.0)


@pytest.mark.usefixtures("in_process")
def test_scores_do_not_depend_on_the_landscape(small_run: Path) -> None:
    without = evaluate(small_run, only=["health", "landscape"]).report
    put_summaries(small_run)
    measured_too = evaluate(small_run, only=["health", "landscape"]).report
    assert measured_too.landscape != without.landscape
    assert measured_too.value == without.value
    assert measured_too.terms == without.terms
    assert measured_too.verdict == without.verdict
