"""The report's views are functions of the report."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import jsonschema
import pytest

from dlcc.estimate import Estimate
from dlcc.evaluation import Evaluation
from dlcc.records import HealthRecord
from dlcc.report import Report
from dlcc.report.page import html
from dlcc.report.record import Number
from dlcc.report.terminal import WIDTH, decimal, render
from dlcc.report.text import percent
from tests.conftest import example


@pytest.fixture(scope="module")
def page(evaluated: Evaluation) -> tuple[Report, str]:
    """The report of the collapsed example and its HTML."""
    health = evaluated.record(HealthRecord)
    return evaluated.report, html.render(evaluated.report, evaluated.evaluated_run, health)


def test_a_report_survives_its_json(page: tuple[Report, str]) -> None:
    report, _ = page
    assert Report.from_json(report.to_json()).to_json() == report.to_json()
    jsonschema.validate(
        instance=json.loads(report.to_json()),
        schema=Report.model_json_schema(by_alias=True),
    )


def test_a_report_is_frozen(page: tuple[Report, str]) -> None:
    with pytest.raises(ValueError, match="frozen"):
        page[0].value = Number(mean=1, low=1, high=1)  # type: ignore[misc]


def test_the_page_asks_for_nothing_from_outside(page: tuple[Report, str]) -> None:
    _, text = page
    for source in re.findall(r' (?:src|href|action)="([^"]*)"', text):
        assert source.startswith(("#", "data:")), source
    assert "url(http" not in text
    assert "default-src 'none'" in text


def test_every_link_and_id_of_the_page_resolves(page: tuple[Report, str]) -> None:
    _, text = page
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r' href="#([^"]*)"', text)) <= set(ids)


def test_only_the_scripts_of_the_page_may_run(page: tuple[Report, str]) -> None:
    _, text = page
    scripts = re.findall(r"<script>(.*?)</script>", text, flags=re.S)
    assert len(scripts) == 3  # uPlot, the charts, the graph
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in text
    assert re.findall(r"<script (?!type=.application/json)", text) == []


def test_the_page_shows_verdict_samples_charts_terms_and_findings(
    page: tuple[Report, str],
) -> None:
    report, text = page
    assert report.verdict.sentence in text
    for title in (
        "Losses",
        "Health over time",
        "Samples over time",
        "Loss-gradient cloud, generator",
    ):
        assert f">{title} <a" in text
    assert "Real data" in text
    assert text.count("data:image/png;base64,") == 11
    assert "GAN003 explained" in text
    for term in report.terms:
        assert f"<td>{term.name}</td>" in text


def test_text_of_a_run_is_escaped(page: tuple[Report, str]) -> None:
    report, _ = page
    hostile = report.run.model_copy(update={"name": "<script>alert(1)</script>"})
    done = report.model_copy(update={"run": hostile})
    from dlcc.runs import Run

    text = html.render(done, Run.open(example("digits-collapsed")), None)
    assert "<script>alert" not in text


def test_the_terminal_view_starts_with_the_verdict_and_keeps_its_width(
    page: tuple[Report, str],
) -> None:
    text = render(page[0], html="out/report.html")
    lines = text.splitlines()
    assert lines[0].startswith(page[0].verdict.sentence)
    assert all(len(line) <= WIDTH for line in lines)
    assert lines[-1] == "Report  out/report.html"
    assert "\033" not in text
    coloured = render(page[0], colour=True)
    assert re.sub(r"\033\[\d+m", "", coloured) == render(page[0])


def test_numbers_are_short() -> None:
    assert decimal(0.974) == ".97"
    assert decimal(0.999) == "1.00"
    assert percent(Number(mean=0.034, low=0.011, high=0.08)) == "3 % (1 to 8)"


def test_numbers_that_are_not_finite_are_text_in_json(page: tuple[Report, str]) -> None:
    finding = page[0].findings[0].model_copy(update={"evidence": {"loss": float("nan")}})
    text = page[0].model_copy(update={"findings": (finding,)}).to_json()
    assert '"loss": "nan"' in text
    assert "NaN" not in text


def test_an_estimate_in_a_report_keeps_its_interval() -> None:
    low, high = Estimate.proportion(41, 42).interval()
    assert 0.9 < low < high <= 1
