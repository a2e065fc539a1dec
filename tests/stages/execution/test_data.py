"""A training on the user's own files is replayed with them, and not doubted without."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from dlcc.recipes.train import train
from tests.command import dlcc
from tests.conftest import unlisted


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on an array of one's own."""
    folder = tmp_path_factory.mktemp("own")
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8)
    np.save(folder / "images.npy", images)
    settings = {"data": "npy", "folder": str(folder / "images.npy"), "steps": 30, "batch": 8}
    train("lgc-vanilla", folder / "run", settings, snapshots=2)
    return folder / "run"


@pytest.mark.usefixtures("in_process")
def test_without_its_data_nothing_is_held_against_the_record(run: Path) -> None:
    report = json.loads(dlcc("evaluate", run, "--only", "execution", "--json").stdout)
    (finding,) = report["findings"]
    assert finding["code"] == "EXE008"
    assert "images.npy" in finding["message"]
    assert not report["verdict"]["doubt"]


@pytest.mark.usefixtures("in_process")
def test_with_its_data_it_is_replayed(run: Path) -> None:
    data = f"execution.data={run.parent / 'images.npy'}"
    made = dlcc("evaluate", run, "--only", "execution", "--json", "--set", data)
    report = json.loads(made.stdout)
    assert report["findings"] == []
    (stage,) = [s for s in report["stages"] if s["name"] == "execution"]
    assert all(replay["agrees"] for replay in stage["details"]["replays"])


@pytest.mark.usefixtures("in_process")
def test_a_relative_path_is_shown_to_code_that_looks_for_it(run: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "own.npy", np.load(run.parent / "images.npy"))
    settings = ("--set", "data=npy", "--set", "folder=own.npy", "--set", "steps=6")
    dlcc("train", "lgc-vanilla", "--out", "own", "--no-landscape", *settings, cwd=tmp_path)
    options = ("--only", "execution", "--json", "--set", "execution.data=own.npy")
    report = json.loads(dlcc("evaluate", "own", *options, cwd=tmp_path).stdout)
    assert report["findings"] == []
    assert not report["verdict"]["doubt"]


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("where", ["", "snapshots", ".."])
def test_the_run_itself_is_not_shown(run: Path, where: str) -> None:
    data = f"execution.data={run / where}"
    made = dlcc("evaluate", run, "--only", "execution", "--json", "--set", data)
    (stage,) = [s for s in json.loads(made.stdout)["stages"] if s["name"] == "execution"]
    assert stage["status"] == "not applicable"
    assert "which its code must not see" in stage["reason"]


def test_other_data_are_not_taken_for_those_of_before(run: Path, tmp_path: Path) -> None:
    """What is shown is no part of the run, so that results that rest on it are made anew."""
    own = tmp_path / "images.npy"
    own.write_bytes((run.parent / "images.npy").read_bytes())
    folder = tmp_path / "run"
    train("lgc-vanilla", folder, {"data": "npy", "folder": str(own), "steps": 6, "batch": 8})
    options = ("--only", "execution", "--json", "--set", f"execution.data={own}")
    first = json.loads(dlcc("evaluate", folder, *options).stdout)
    np.save(own, np.load(own) // 2)
    second = json.loads(dlcc("evaluate", folder, *options).stdout)
    assert first["findings"] == []
    assert second["findings"] != []


@pytest.mark.usefixtures("in_process")
def test_code_that_was_built_cannot_excuse_itself(run: Path, tmp_path: Path) -> None:
    """A missing file that turns up in one replay alone is a failure of that replay."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    source = unlisted(copy) / "source" / "train.py"
    failing = "def iterate(self, step: int) -> Mapping[str, Tensor]:\n        open('/no/such')\n"
    text = source.read_text()
    source.write_text(
        text.replace("def iterate(self, step: int) -> Mapping[str, Tensor]:\n", failing)
    )
    data = f"execution.data={run.parent / 'images.npy'}"
    made = dlcc("evaluate", copy, "--only", "execution", "--json", "--set", data)
    assert "EXE003" in [f["code"] for f in json.loads(made.stdout)["findings"]]


def test_data_that_do_not_exist_are_refused(run: Path) -> None:
    made = dlcc("evaluate", run, "--set", "execution.data=/no/such")
    assert made.returncode == 2
    assert "execution.data /no/such: there is no such file or folder" in made.stderr
