"""What version 0.1.0 wrote is read: a run, an own library, reviews, a stage, and the code that its
recipes left in runs. The files under fixtures/v0_1 were made by it."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dlcc import evaluate
from dlcc.forecast.folders import forecast_folders
from dlcc.past_runs.in_use import library, shipped_library, users_library
from dlcc.pipeline import discovery
from dlcc.review.reviews import history
from tests.command import dlcc

OLD = Path(__file__).parent / "fixtures" / "v0_1"
SMALL: Mapping[str, Mapping[str, Any]] = {
    "small_gan": {"data": "ring", "seed": 1},
    "mmd_maps": {"map": "f1", "seed": 1},
    "regularised_map": {"map": "f1", "variant": "mended", "regulariser": "l1", "seed": 1},
    "cube_autoencoders": {"seed": 1},
    "loss_gradient_clouds": {"net": "vanilla", "batch": 4, "seed": 1},
    "akde_dcgan": {"batch": 4, "seed": 1},
}


@pytest.fixture
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's library and reviews."""
    shutil.copytree(OLD / "library", tmp_path / "library")
    monkeypatch.setenv("DLCC_LIBRARY", str(tmp_path / "library" / "own.npz"))
    return tmp_path / "library"


def test_a_run_is_evaluated_with_its_code_replayed(tmp_path: Path) -> None:
    report = evaluate(OLD / "ring", only=["health", "execution"], out=tmp_path).report
    stages = {stage.name: stage.status for stage in report.stages}
    assert stages["execution"] == "scored"
    assert report.verdict.label is not None
    assert not report.verdict.doubt, report.verdict.record
    content = json.loads((tmp_path / "report.json").read_text())
    assert 0 <= content["verdict"]["p_healthy"]["mean"] <= 1


def test_a_forecast_has_the_keys_that_scripts_ask_for() -> None:
    (forecast,) = forecast_folders([OLD / "ring"], "0.5")
    assert {"run", "p_healthy"} <= forecast.to_json().keys()


@pytest.mark.usefixtures("own_files")
def test_own_libraries_join_those_that_ship() -> None:
    for group in ("gan", "single"):
        own = users_library(group)
        assert own is not None
        assert len(own) == 1
        assert len(library(group)) == len(shipped_library(group)) + 1


def test_a_run_is_added_to_an_older_library(own_files: Path) -> None:
    assert "own.npz: 1 runs" in dlcc("library", "add", OLD / "ring").stdout  # it is in it already
    done = dlcc("library", "add", OLD / "ring", "--label", "weak")
    assert "1 weak" in done.stdout
    assert sorted(p.name for p in own_files.glob("*.npz")) == ["own-alone.npz", "own.npz"]


@pytest.mark.usefixtures("own_files")
def test_reviews_are_read() -> None:
    (review,) = history()
    assert (review.run, review.healthy, review.note) == ("ring", False, "it never got there")


def test_a_stage_runs_as_it_did(tmp_path: Path) -> None:
    copy = tmp_path / "ring"
    shutil.copytree(OLD / "ring", copy)
    with pytest.warns(DeprecationWarning, match=r"dlcc\.records\.Label is str now"):
        stage = discovery.load_file(OLD / "stage.py").Company()
    report = evaluate(copy, stages=[stage], only=["company"]).report
    (record,) = report.stages
    assert record.status == "scored"
    assert record.details["past"] > 1_000


def test_old_names_give_what_has_a_new_one() -> None:
    from dlcc import sandbox
    from dlcc.ensembles import train_ensemble

    with pytest.warns(DeprecationWarning, match=r"dlcc\.sandbox\.Limits is dlcc\.sandbox\.Bounds"):
        assert sandbox.Limits is sandbox.Bounds
    with pytest.warns(DeprecationWarning, match=r"sample_steps now"):
        trained = train_ensemble([{"lr_d": 1e-3}], 4, checkpoint_steps=[2], samples=8)
    with pytest.warns(DeprecationWarning, match=r"Trajectories\.sample_steps now"):
        assert trained.checkpoint_steps == trained.sample_steps == (2,)


@pytest.mark.parametrize("name", SMALL)
def test_code_that_recipes_left_in_runs_still_works(name: str) -> None:
    ours = OLD / "ring" / "source" / "train.py"  # complete in itself
    file = ours if name == "small_gan" else OLD / "sources" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"old_{name}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        training = module.build(dict(SMALL[name]))
        row = training.step(0)
        assert any(key.endswith("/loss") for key in row)
        assert len(training.sample(2, 0)) == 2
    finally:
        del sys.modules[spec.name]
