"""Where stages come from: installed entry points, files, instances."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlcc import evaluate, plugins
from dlcc.errors import StageDeclarationError

FILES = Path(__file__).parent / "stage_files"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A distribution on the path that brings a stage, as pip would have installed it."""
    site = tmp_path / "site"
    info = site / "calmness-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "calmness.py").write_text((FILES / "good.py").read_text())
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: calmness\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[dlcc.stages]\ncalm = calmness:Calm\n")
    return site


def run(site: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dlcc.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(site)},
        timeout=120,
    )


def test_a_stage_comes_by_entry_point(package: Path, small_run: Path, tmp_path: Path) -> None:
    assert "calm" in run(package, "stages").stdout.splitlines()
    done = run(package, "evaluate", small_run, "--only", "calm", "--json", "--out", tmp_path / "o")
    report = json.loads(done.stdout)
    assert [s["status"] for s in report["stages"]] == ["scored"]
    assert "calm" in [t["name"] for t in report["terms"] if t["measured"]]


def test_a_broken_entry_point_is_named(package: Path) -> None:
    (package / "calmness.py").write_text("raise OSError('no')")
    done = run(package, "stages")
    assert done.returncode == 2
    assert "calm" in done.stderr
    assert "OSError" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_stage_is_passed_in_python(small_run: Path) -> None:
    calm = plugins.from_argument(f"{FILES}/good.py:Calm")
    report = evaluate(small_run, stages=[calm], only=["calm"])
    assert report.stages[0].terms["calm"].mean > 0.5


def test_the_same_file_is_loaded_once() -> None:
    first = plugins.from_argument(f"{FILES}/good.py:Calm")
    assert type(plugins.from_argument(f"{FILES}/good.py:Calm")) is type(first)


def test_a_type_is_found_by_its_name_and_a_missing_one_is_an_error() -> None:
    name = plugins.type_name(plugins.StageDeclarationError)
    assert plugins.find_type(name) is StageDeclarationError
    with pytest.raises(ValueError, match="no type"):
        plugins.find_type("dlcc.errors:Nothing")


def test_a_finding_of_ones_own_has_its_page_in_the_report_and_in_explain(
    small_run: Path, tmp_path: Path
) -> None:
    stage = f"{FILES}/noticing.py:Noticing"
    options = ("--stage", stage, "--only", "noticing", "--json", "--out", tmp_path / "o")
    for _ in range(2):  # the second comes from the cache
        done = run(tmp_path, "evaluate", small_run, *options)
        assert done.returncode == 0, done.stderr
        (finding,) = json.loads(done.stdout)["findings"]
        assert (finding["code"], finding["severity"]) == ("MYS001", "warning")
        assert finding["remedy"] == "Ask the stage's author."
    assert run(tmp_path, "explain", "MYS001", "--stage", stage).stdout.startswith("# MYS001")
    assert run(tmp_path, "explain", "MYS001").returncode == 2


def test_a_finding_without_a_page_fails_its_stage_alone(small_run: Path, tmp_path: Path) -> None:
    stage = f"{FILES}/faulty.py:NoPage"
    options = ("--stage", stage, "--only", "no_page", "--only", "ingestion", "--json")
    done = run(tmp_path, "evaluate", small_run, *options, "--out", tmp_path / "o")
    assert done.returncode == 3, done.stderr
    stages = {s["name"]: s for s in json.loads(done.stdout)["stages"]}
    assert stages["ingestion"]["status"] == "scored"
    assert "'MYS404', which has no page" in stages["no_page"]["reason"]
