"""A training on the user's own files is replayed with them, and not doubted without."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dlcc.recipes.train import train
from tests.command import dlcc


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on an array of one's own."""
    folder = tmp_path_factory.mktemp("own")
    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8)
    np.save(folder / "images.npy", images)
    settings = {"data": "npy", "folder": str(folder / "images.npy"), "steps": 30, "batch": 8}
    train("lgc-vanilla", folder / "run", settings, snapshots=2)
    return folder / "run"


def test_without_its_data_nothing_is_held_against_the_record(run: Path) -> None:
    report = json.loads(dlcc("evaluate", run, "--only", "execution", "--json").stdout)
    (finding,) = report["findings"]
    assert finding["code"] == "EXE008"
    assert "images.npy" in finding["message"]
    assert not report["verdict"]["doubt"]


def test_with_its_data_it_is_replayed(run: Path) -> None:
    data = f"execution.data={run.parent / 'images.npy'}"
    made = dlcc("evaluate", run, "--only", "execution", "--json", "--set", data)
    report = json.loads(made.stdout)
    assert report["findings"] == []
    (stage,) = [s for s in report["stages"] if s["name"] == "execution"]
    assert all(replay["agrees"] for replay in stage["details"]["replays"])


def test_data_that_do_not_exist_are_refused(run: Path) -> None:
    made = dlcc("evaluate", run, "--set", "execution.data=/no/such")
    assert made.returncode == 2
    assert "execution.data /no/such: there is no such file or folder" in made.stderr
