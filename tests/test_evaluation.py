"""What `dlcc.evaluate` gives back."""

from __future__ import annotations

from pathlib import Path

import pytest

import dlcc
from dlcc.records import HealthRecord, Reruns
from dlcc.report import Report


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> dlcc.Evaluation:
    """An evaluation of a bundled run by its health alone."""
    return dlcc.evaluate(
        Path(__file__).parent.parent / "runs" / "digits-collapsed", only=["health"]
    )


def test_it_has_the_report_and_the_records(evaluation: dlcc.Evaluation) -> None:
    assert isinstance(evaluation.report, Report)
    health = evaluation.record(HealthRecord)
    assert health is not None
    assert health.label == evaluation.report.verdict.label == "collapsed"
    assert evaluation.record(Reruns) is None


def test_its_texts_are_those_of_the_files(evaluation: dlcc.Evaluation, tmp_path: Path) -> None:
    again = dlcc.evaluate(evaluation.evaluated_run, only=["health"], out=tmp_path)
    assert (tmp_path / "report.json").read_text() == again.to_json()
    assert (tmp_path / "report.html").read_text() == again.to_html()
    read = Report.from_json(evaluation.to_json())
    assert read.verdict.sentence == evaluation.report.verdict.sentence


def test_a_notebook_shows_the_page_in_a_frame(evaluation: dlcc.Evaluation) -> None:
    shown = evaluation._repr_html_()  # the name that notebooks ask for
    assert shown.startswith("<iframe srcdoc=")
    assert "<h1" not in shown  # escaped: no tag of the page stands outside of the frame
    assert "Collapsed since step" in shown


def test_it_fits_a_line(evaluation: dlcc.Evaluation) -> None:
    assert (
        repr(evaluation)
        == f"<Evaluation of digits-collapsed: {evaluation.report.verdict.sentence}>"
    )


def test_attributes_of_the_report_can_be_read_for_a_version(evaluation: dlcc.Evaluation) -> None:
    with pytest.warns(DeprecationWarning, match=r"Evaluation.verdict is Evaluation.report.verdict"):
        assert evaluation.verdict is evaluation.report.verdict
    with pytest.warns(DeprecationWarning, match=r"report\.failed_stages"):
        assert evaluation.failed_stages == ()
    with pytest.warns(DeprecationWarning, match=r"Evaluation.run is Evaluation.report.run"):
        assert evaluation.run.recorded == evaluation.evaluated_run.length
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = evaluation.nonsense
