"""The landscape's part of report.json."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from dlcc import evaluate
from dlcc.landscape.clouds import gradient_cloud
from dlcc.records import MeasuredLandscape, MeasuredSeries, PlayerCloud
from dlcc.report import Report
from dlcc.report.landscape_record import landscape_record
from dlcc.runs.snapshot_landscape import SnapshotLandscape
from tests.landscape_summaries import put_summaries, record

LENGTH = 1_000
SUMMARIES = tuple(record(s) for s in range(0, 1_001, 100))


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
    assert "Curvature, generator" in (tmp_path / "out" / "report.html").read_text()


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
