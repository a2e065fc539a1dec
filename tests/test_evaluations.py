"""Evaluations of many runs: the same as of each alone, kept, and none lost to another's error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from dlcc import evaluate
from dlcc.engine.engines import Local
from dlcc.engine.jobs import Job
from dlcc.errors import OptionError
from dlcc.evaluations import EvaluationOptions, evaluate_runs
from dlcc.report.record import Report

RUNS = Path("runs")
HEALTH = EvaluationOptions(only=("health",))


@dataclass(frozen=True)
class Counting(Local):
    """Engine that counts what it is given."""

    done: list[int] = field(default_factory=list)

    def run(self, jobs: Sequence[Job]) -> Any:
        self.done.append(len(jobs))
        return super().run(jobs)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLCC_CACHE_DIR", str(tmp_path / "cache"))


def test_a_call_again_does_what_is_missing_and_says_the_same(tmp_path: Path) -> None:
    copytree(RUNS / "digits-collapsed", tmp_path / "one")
    engine = Counting()
    runs = [tmp_path / "one", tmp_path / "two"]
    first, lacking = evaluate_runs(runs, HEALTH, tmp_path / "out", engine)
    assert first.report is not None
    alone = evaluate(runs[0], only=["health"]).to_json()
    assert first.report.verdict == Report.model_validate_json(alone).verdict
    written = json.loads((tmp_path / "out/one/report.json").read_text())
    assert written["verdict"]["label"] == "collapsed"
    assert (tmp_path / "out/one/report.html").is_file()
    table = (tmp_path / "out/one/series.csv").read_text().splitlines()
    assert len(table) == 1 + first.report.run.recorded
    assert (lacking.report, lacking.exit_code) == (None, 2)
    assert str(runs[1]) in lacking.error
    assert not (tmp_path / "out/two").exists()

    copytree(RUNS / "digits-collapsed", tmp_path / "two")
    again = evaluate_runs(runs, HEALTH, tmp_path / "out", engine)
    assert [made.report is not None for made in again] == [True, True]
    assert again[0] == first
    assert engine.done == [2, 1]


def test_a_change_of_the_run_or_of_an_option_is_another_evaluation(tmp_path: Path) -> None:
    run = tmp_path / "run"
    copytree(RUNS / "digits-collapsed", run)
    engine = Counting()
    for _ in range(2):
        evaluate_runs([run], HEALTH, tmp_path / "out", engine)
    (run / "notes.txt").write_text("a word more")
    evaluate_runs([run], HEALTH, tmp_path / "out", engine)
    half = EvaluationOptions(only=("health",), until="0.5")
    (made,) = evaluate_runs([run], half, tmp_path / "out", engine)
    assert made.report is not None
    assert engine.done == [1, 0, 1, 1]


def test_reports_of_runs_of_one_name_lie_apart(tmp_path: Path) -> None:
    runs = [tmp_path / "runs" / lot / "run" for lot in "ab"]
    for run in runs:
        copytree(RUNS / "digits-collapsed", run)
    found = evaluate_runs(runs, HEALTH, tmp_path / "out", Local())
    assert [made.out for made in found] == [tmp_path / "out" / lot / "run" for lot in "ab"]
    with pytest.raises(OptionError, match="given twice"):
        evaluate_runs([runs[0], runs[0]], HEALTH, tmp_path / "out", Local())
