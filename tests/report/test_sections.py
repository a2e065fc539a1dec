"""The page's sections on past runs, the forecast, reruns, and how the score was made."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from dlcc.charts.geometry import geometry
from dlcc.estimate import Estimate
from dlcc.evaluation import Evaluation
from dlcc.records import (
    LABELS,
    Diffusion,
    Effect,
    FeatureEffect,
    Forecast,
    ForecastPoint,
    HealthRecord,
    Neighbourhood,
    PastNeighbour,
    RerunOutcome,
    Reruns,
)
from dlcc.report import Report, tables
from dlcc.report.fusion import correction_record, fusion_record
from dlcc.report.page import html
from dlcc.report.page.outlook_charts import MARKERS, forecast_chart, rerun_chart
from dlcc.report.terminal import render
from dlcc.runs import Run
from dlcc.scoring.ahp import ahp_weights
from dlcc.scoring.correction import Correction, Coverage, Round, Widening
from dlcc.scoring.weights import posterior_weights
from tests.scoring.past import verified

HOSTILE = "<script>alert(1)</script>\x1b[31m"
FORECAST = Forecast(
    seen=0.5,
    probabilities=dict.fromkeys(LABELS, 0.2),
    p_healthy=Estimate.beta(3, 7),
    stability=Estimate.beta(4, 6),
    next_quarter=Estimate.beta(4, 6),
    distance=0.7,
    moved=(FeatureEffect("good_quarter", 0.25, -0.2), FeatureEffect("r1", None, 0.1)),
    over_time=tuple(
        ForecastPoint(seen, Estimate.beta(2, 5), Estimate.beta(3, 4)) for seen in (0.1, 0.2, 0.5)
    ),
    diffusion=Diffusion(
        "bass", (0.9, 0.1, 2.0), 0.05, np.linspace(0.1, 0.5, 5), np.linspace(0.2, 0.6, 5),
        np.linspace(0.2, 0.6, 5), 1.25, 0.8, (0.7, 0.9),
    ),
)  # fmt: skip
NEIGHBOURHOOD = Neighbourhood(
    nearest=(
        PastNeighbour("digits", {"loss": "hinge", "lr_g": 0.001, "seed": 4}, "weak", 0.4, 0.3),
        PastNeighbour(HOSTILE, {"loss": HOSTILE, HOSTILE: 2}, "healthy", 0.9, 0.8),
    ),
    distance=0.5,
    independence=0.4,
)
ENDS: list[tuple[Literal["seed", "batches", "setting"], str]] = [
    *(("seed", name) for name in LABELS), ("batches", "weak"), ("setting", "healthy"),
]  # fmt: skip
RERUNS = Reruns(
    outcomes=tuple(
        RerunOutcome(label, 0.5, k / 9, kind=kind, seed=k, changes={})
        for k, (kind, label) in enumerate(ENDS)
    ),
    how="one ensemble",
    deviation=Estimate.beta(8, 2),
    effects=(
        Effect("lr_d", 0.001, 0.004, Estimate.beta(6, 4)),
        Effect(HOSTILE, 0, 1, Estimate.beta(2, 8)),
    ),
    best={"lr_d": 0.004, HOSTILE: 1},
)  # fmt: skip


@pytest.fixture
def done(evaluated: Evaluation) -> tuple[Report, Run, HealthRecord]:
    """The report of the collapsed example, its run, and what was found of its health."""
    health = evaluated.record(HealthRecord)
    assert health is not None
    return evaluated.report, evaluated.evaluated_run, health


def test_what_is_there_is_shown_and_what_is_not_is_said_to_be_unknown(done) -> None:
    report, run, health = done
    text = html.render(
        report, run, health, forecast=FORECAST, neighbourhood=NEIGHBOURHOOD, reruns=RERUNS
    )
    bare = html.render(report, run, health)
    for key in ("fig-forecast", "fig-reruns", "past-runs"):
        assert f'id="{key}"' in text
        assert f'id="{key}"' not in bare
    assert "Not known: the stage was not run." in bare
    assert "1 of 5 reruns with other seeds ended healthy" in text
    keys = [
        "top",
        "healthy",
        "outlook",
        "record",
        "again",
        "change",
        "landscape",
        "score",
        "stages",
    ]
    places = [text.index(f' id="{key}"') for key in keys]
    assert places == sorted(places)


def test_a_failed_run_is_told_what_to_change(done) -> None:
    report, run, health = done
    assert report.advice is not None
    assert 1 <= len(report.advice.changes) <= 6
    page, text = html.render(report, run, health), render(report, run="runs/x")
    assert "helps most by past runs" in page
    assert "dlcc advise runs/x" in text
    for change in report.advice.changes:
        assert change.fields
        assert change.words in text
        assert change.words.replace(">", "&gt;") in page


def test_without_advice_there_is_no_word_of_it(done) -> None:
    report, run, health = done
    silent = report.model_copy(update={"advice": None, "findings": ()})
    assert "by past runs" not in html.render(silent, run, health)
    assert "What to change" not in render(silent)


def test_text_of_past_runs_is_escaped_and_printable(done) -> None:
    report, run, health = done
    text = html.render(
        report, run, health, forecast=FORECAST, neighbourhood=NEIGHBOURHOOD, reruns=RERUNS
    )
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "&lt;script&gt;" in text


def test_the_nearest_runs_say_in_what_they_differ() -> None:
    own = {"loss": "hinge", "lr_g": 0.002, "seed": 1}
    first, _ = tables.neighbour_rows(NEIGHBOURHOOD, own)
    assert first.settings == "lr_g 0.001"
    same, _ = tables.neighbour_rows(NEIGHBOURHOOD, {**own, "lr_g": 0.001})
    assert same.settings == "the same settings"


def test_marks_tell_labels_apart_by_shape_too() -> None:
    assert len({MARKERS[label] for label in LABELS}) == len(LABELS)


def test_the_strip_holds_every_rerun_within_the_picture() -> None:
    many = tuple(replace(RERUNS.outcomes[0], stability=0.5) for _ in range(12))
    marks = geometry(rerun_chart(replace(RERUNS, outcomes=many), None)).marks
    assert len(marks) == 12
    assert all(0 < mark.top < 100 for mark in marks)
    assert len({mark.top for mark in marks}) == 5


def test_the_forecast_reaches_to_where_the_curve_leads() -> None:
    assert forecast_chart(FORECAST).x_range()[1] == 125
    assert forecast_chart(replace(FORECAST, diffusion=None)).x_range()[1] < 100


def test_all_axioms_are_in_the_report_and_hold(done) -> None:
    report, run, health = done
    assert len(report.axioms) == 12
    assert all(axiom.holds for axiom in report.axioms)
    text = html.render(report, run, health)
    assert "12 of 12 axioms hold" in text
    assert "<details><summary>12 of 12" in text
    broken = replace(report.axioms[0], holds=False, where="they sum to 2")
    less = report.model_copy(update={"axioms": (broken, *report.axioms[1:])})
    text = html.render(less, run, health)
    assert "<details open><summary>11 of 12 axioms hold" in text
    assert "they sum to 2" in text


def test_weights_and_shapley_values_are_shown(done) -> None:
    report, run, health = done
    record = fusion_record(posterior_weights(verified(), ahp_weights()))
    assert [w.posterior for w in record.weights] == sorted(
        (w.posterior for w in record.weights), reverse=True
    )
    assert sum(w.posterior for w in record.weights) == pytest.approx(1)
    known = [w for w in record.weights if w.shapley is not None]
    assert sum(w.shapley.mean for w in known) == pytest.approx(record.total)
    text = html.render(report.model_copy(update={"fusion": record}), run, health)
    assert "300 past runs of 300 settings" in text
    assert "Shapley value" in text
    assert "not in the library: it keeps its judged share" in text


def test_the_correction_is_told_in_words() -> None:
    widened = Correction(
        (Round({"impact": Widening(1.5)}, 0.01, 0.1), Round({"impact": Widening(2.0)}, 0.0, 0.1)),
        Coverage(400, 0.7, 1.5),
    )
    record = correction_record(widened)
    assert record.factors == {"impact": 3.0}
    assert "impact 3.00 times; V moved by 0.010 in 2 rounds" in record.note
    assert "In 70 % of the groups of 400 past runs" in record.note
    assert "No spread" in correction_record(Correction((Round({}, 0.0, 0.1),), None)).note


def test_terms_that_nobody_measured_have_no_number_in_the_terminal(done) -> None:
    report, _, _ = done
    lines = {line.split()[0]: line for line in render(report).splitlines() if " x " in line}
    assert lines["impact"].split()[1] == "-"
    assert "not measured: " in lines["impact"]
    assert lines["meta"].split()[1] != "-"
    assert re.fullmatch(r"(\d+) of \1 checks passed", report.verdict.record)


def test_both_factors_of_the_probability_are_there(done) -> None:
    verdict = done[0].verdict
    assert None not in (verdict.p_healthy, verdict.p_landscape, verdict.p_true)
    assert verdict.p_healthy.mean == pytest.approx(
        verdict.p_landscape.mean * verdict.p_true.mean, abs=1e-2
    )
