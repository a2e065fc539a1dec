"""The page of several runs, and the commands that write it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from dlcc.cli.report import compared_run, runs_in
from dlcc.errors import OutputError, RunError
from dlcc.report.page.runs import render_runs
from tests.command import dlcc
from tests.conftest import example
from tests.report.page.test_browser import drawn, holds, opened

RUNS = ("digits-healthy", "digits-collapsed", "ring-oscillating")


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Page of the three examples, the first of which was evaluated."""
    out = tmp_path_factory.mktemp("several")
    runs = [run for name in RUNS for run in runs_in(example(name), {})]
    text = render_runs([compared_run(run, out, out) for run in runs], title="<b>mine</b>")
    (out / "runs.html").write_text(text, encoding="utf-8")
    return out / "runs.html"


@pytest.fixture
def same_names(tmp_path: Path) -> list[Path]:
    """Two runs in folders of the same name."""
    folders = [tmp_path / name / "run" for name in "ab"]
    for seed, folder in enumerate(folders):
        folder.mkdir(parents=True)
        losses = np.random.default_rng(seed).normal(1, 0.1, (40, 2))
        rows = [f"{step},{d:.4f},{g:.4f}" for step, (d, g) in enumerate(losses)]
        (folder / "log.csv").write_text("\n".join(["step,d_loss,g_loss", *rows]))
    return folders


def test_every_run_has_its_row_samples_and_series(several: Path) -> None:
    text = several.read_text()
    rows = re.findall(r'<tr data-state="(\w+)"><th scope="row">([\w-]+)', text)
    assert [name for _, name in rows] == list(RUNS)
    assert text.count("data:image/png") == 3  # real digits and two runs; the ring has points
    assert 'id="fig-over-discriminator-loss"' in text
    assert "3 of the runs were judged by the series alone" in text
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r' href="#([^"]*)"', text)) <= set(ids)


def test_texts_are_escaped(several: Path) -> None:
    assert "<b>mine" not in several.read_text()


def test_the_commands_write_the_page(tmp_path: Path) -> None:
    shutil.copytree(example("digits-healthy"), tmp_path / "runs" / "a")
    shutil.copytree(example("ring-oscillating"), tmp_path / "runs" / "b")
    said = dlcc("report", tmp_path / "runs", "--out", tmp_path / "page" / "all.html")
    assert said.stdout.startswith("2 runs: ")
    assert "<table" in (tmp_path / "page" / "all.html").read_text()
    said = dlcc(
        "compare", tmp_path / "runs" / "a", tmp_path / "runs" / "b", "--html", tmp_path / "c.html"
    )
    assert "parts from the first run at step" in (tmp_path / "c.html").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.html", "page", "runs"]


def test_a_report_that_was_made_is_used_and_linked(
    tmp_path: Path, small_run: Path, in_process: None
) -> None:
    from dlcc import evaluate

    out = tmp_path / "reports" / small_run.name
    found = evaluate(small_run, only=["health"], out=out)
    (run,) = runs_in(small_run, {})
    compared = compared_run(run, tmp_path / "reports", tmp_path)
    assert compared.report is not None
    assert compared.page == f"reports/{small_run.name}/report.html"
    assert found.report.verdict.sentence.partition("; ")[0] in render_runs([compared])
    (out / "report.json").write_text("{}")
    assert compared_run(run, tmp_path / "reports", tmp_path).report is None


def test_a_report_of_another_run_of_the_same_name_is_not_used(
    tmp_path: Path, same_names: list[Path], in_process: None
) -> None:
    from dlcc import evaluate

    evaluate(same_names[0], only=["health"], out=tmp_path / "reports" / "run")
    runs = [run for folder in same_names for run in runs_in(folder, {})]
    found = [compared_run(run, tmp_path / "reports", tmp_path).report for run in runs]
    assert [report is not None for report in found] == [True, False]


def test_runs_of_the_same_name_are_told_apart(tmp_path: Path, same_names: list[Path]) -> None:
    said = dlcc("compare", *same_names, "--html", tmp_path / "c.html")
    assert said.stdout.split()[:2] == ["a/run", "b/run"]
    runs = [run for folder in same_names for run in runs_in(folder, {})]
    page = render_runs([compared_run(run, tmp_path, tmp_path) for run in runs])
    for text in (page, (tmp_path / "c.html").read_text()):
        assert '<th scope="row">a/run' in text
        shared = text.partition('id="fig-over-discriminator-loss"')[2].partition("</figure>")[0]
        assert (shared.count('"name":"a/run"'), shared.count('"name":"b/run"')) == (1, 1)


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError):
        runs_in(tmp_path / "empty", {})
    (tmp_path / "file").write_text("")
    from dlcc.cli.report import write_page

    with pytest.raises(OutputError, match="choose another file"):
        write_page(tmp_path / "file" / "page.html", "x")
    with pytest.raises(OutputError, match="name the HTML file"):
        write_page(Path(), "x")


def test_the_table_sorts_and_filters(browser, several: Path) -> None:
    page = drawn(opened(browser, several.as_uri()))
    names = """() => [...document.querySelectorAll('#run-table tbody tr')]
        .filter(r => !r.hidden).map(r => r.cells[0].textContent)"""
    page.click("#run-table th >> nth=5 >> button")  # steps
    page.click("#run-table th >> nth=5 >> button")
    assert page.evaluate(names)[0] == "digits-collapsed"
    page.fill("#filters input", "ring")
    assert page.evaluate(names) == ["ring-oscillating"]
    assert "1 of 3 runs" in page.inner_text("#filters")
    assert page.troubles == []
    for size in ((1280, 800), (390, 844)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        holds(page, "document.documentElement.scrollWidth <= innerWidth")
