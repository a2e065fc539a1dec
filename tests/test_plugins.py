"""Where stages come from: installed entry points, files, instances."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlcc import evaluate
from dlcc.errors import StageDeclarationError
from dlcc.pipeline import discovery
from tests.command import dlcc

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
    calm = discovery.from_argument(f"{FILES}/good.py:Calm")
    report = evaluate(small_run, stages=[calm], only=["calm"]).report
    assert report.stages[0].terms["calm"].mean > 0.5


def test_the_same_file_is_loaded_once() -> None:
    first = discovery.from_argument(f"{FILES}/good.py:Calm")
    assert type(discovery.from_argument(f"{FILES}/good.py:Calm")) is type(first)


def test_a_type_is_found_by_its_name_and_a_missing_one_is_an_error() -> None:
    name = discovery.type_name(discovery.StageDeclarationError)
    assert discovery.find_type(name) is StageDeclarationError
    with pytest.raises(ValueError, match="no type"):
        discovery.find_type("dlcc.errors:Nothing")


def test_a_finding_of_ones_own_has_its_page_in_the_report_and_in_explain(
    small_run: Path, tmp_path: Path
) -> None:
    stage = f"{FILES}/noticing.py:Noticing"
    options = ("--stage", stage, "--only", "noticing", "--json", "--out", tmp_path / "o")
    for _ in range(2):  # the second comes from the cache
        done = dlcc("evaluate", small_run, *options)
        assert done.returncode == 0, done.stderr
        (finding,) = json.loads(done.stdout)["findings"]
        assert (finding["code"], finding["severity"]) == ("MYS001", "warning")
        assert finding["remedy"] == "Ask the stage's author."
    assert run(tmp_path, "explain", "MYS001", "--stage", stage).stdout.startswith("# MYS001")
    assert run(tmp_path, "explain", "MYS001").returncode == 2


def test_a_finding_without_a_page_fails_its_stage_alone(small_run: Path, tmp_path: Path) -> None:
    stage = f"{FILES}/faulty.py:NoPage"
    options = ("--stage", stage, "--only", "no_page", "--only", "ingestion", "--json")
    done = dlcc("evaluate", small_run, *options, "--out", tmp_path / "o")
    assert done.returncode == 3, done.stderr
    stages = {s["name"]: s for s in json.loads(done.stdout)["stages"]}
    assert stages["ingestion"]["status"] == "scored"
    assert "'MYS404', which has no page" in stages["no_page"]["reason"]


def module_of(site: Path, name: str, code: str) -> None:
    """A module of the path that brings a stage with the finding `code`."""
    path = site.joinpath(*name.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text((FILES / "noticing.py").read_text().replace("MYS001", code))


def page_of(folder: Path, code: str) -> None:
    pages = folder / "findings" / "codes"
    pages.mkdir(parents=True)
    text = (FILES / "findings" / "codes" / "MYS001.md").read_text()
    (pages / f"{code}.md").write_text(text.replace("MYS001", code))


CHECKED = """
import sys
from dlcc import evaluate
from dlcc.testing import check_stage
from {module} import Noticing
check_stage(Noticing(), sys.argv[1])
(stage,) = evaluate(sys.argv[1], stages=[Noticing()], only=["noticing"]).report.stages
print(stage.status, stage.reason)
"""


@pytest.mark.parametrize(
    ("module", "pages"),
    [
        pytest.param("loose", "", marks=pytest.mark.slow),
        pytest.param("corp.plug.stages", "corp/plug", marks=pytest.mark.slow),
        ("corp.plug.stages", "corp"),
    ],
)
def test_pages_of_an_imported_stage_lie_beside_it_or_in_its_packages(
    small_run: Path, tmp_path: Path, module: str, pages: str
) -> None:
    module_of(tmp_path, module, "MYS005")
    page_of(tmp_path / pages, "MYS005")
    done = subprocess.run(
        [sys.executable, "-c", CHECKED.format(module=module), small_run],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.startswith("scored"), done.stderr


def test_a_code_of_somebody_else_fails_the_stage_that_takes_it(
    small_run: Path, tmp_path: Path
) -> None:
    for name, code in (("first", "MYS006"), ("second", "MYS006"), ("third", "GAN002")):
        module_of(tmp_path / name, "noticing", code)
        page_of(tmp_path / name, code)
        file = tmp_path / name / "noticing.py"
        file.write_text(file.read_text().replace('= "noticing"', f'= "{name}"'))
    stages = [("--stage", tmp_path / n / "noticing.py:Noticing", "--only", n)
              for n in ("first", "second", "third")]  # fmt: skip
    stages = [(a, str(b), c, d) for a, b, c, d in stages]
    done = run(tmp_path, "evaluate", small_run, *(w for s in stages for w in s), "--json",
               "--out", tmp_path / "o")  # fmt: skip
    assert done.returncode == 3, done.stderr
    ended = {s["name"]: s for s in json.loads(done.stdout)["stages"]}
    assert ended["first"]["status"] == "scored"
    for name in ("second", "third"):
        assert "has the code already" in ended[name]["reason"]


def test_another_kind_of_training_is_another_key(
    small_run: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = discovery.from_argument(f"{FILES}/good.py:Calm")

    def was_cached() -> bool:
        report = evaluate(small_run, stages=[calm], only=["calm"]).report
        return bool(report.environment["stages"]["calm"].get("cached"))

    assert [was_cached(), was_cached()] == [False, True]
    monkeypatch.setattr("dlcc.pipeline.runner.kinds", lambda: {"other": 1})
    assert not was_cached()
