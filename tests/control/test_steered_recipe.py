from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from dlcc.control.adjustable import ImageGANSettings
from dlcc.control.recipe_control import LearntControl, RecipeControl
from dlcc.control.steered_recipe import KeptSettings, steered_recipe
from dlcc.control.steering import Target
from dlcc.recipes.image_gans import akde_dcgan, usual_gan
from dlcc.recipes.train import train
from dlcc.runs import Run
from dlcc.sandbox.child import Subject

TINY = {"width": 2, "batch": 4, "steps": 30, "norm": "generator"}
COURSE = {"lr_g": 1e-3, "lr_d": 2e-3, "r1": 0.5}


@pytest.fixture(scope="module", params=["image-gan", "akde-dcgan"])
def steered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GAN on images that began where a course told it to; nobody writes to it."""
    out = tmp_path_factory.mktemp("steered") / "run"
    settings = {**TINY, "norm": "none"} if request.param == "akde-dcgan" else TINY
    with pytest.MonkeyPatch.context() as patch:
        target = Target(COURSE, 0.1, 0.9)
        patch.setattr("dlcc.control.steering.choose_target", lambda *_: target)
        control = RecipeControl(library=Library())  # type: ignore[arg-type]
        train(request.param, out, settings, snapshots=2, control=control)
    return out


class Library:
    """Past runs that nothing is fitted on."""

    good = None
    true_record = np.ones(0, dtype=bool)
    data = np.empty(0, dtype=str)
    config_vectors = np.empty((0, 21))
    labels = np.empty(0, dtype=int)
    label_names = ("healthy",)

    def select(self, chosen: Any) -> Library:
        return self


def test_images_begin_where_past_runs_did_well_and_record_it(steered: Path) -> None:
    run = Run.open(steered)
    columns = run.series().columns
    assert {f: columns[f"control/{f}"].values.tolist() for f in COURSE} == {
        field: [value] for field, value in COURSE.items()
    }
    assert run.manifest.training == "source/controlled.py:build"
    assert run.manifest.config["r1"] == 0  # as it was set
    assert all(s.state()["control"]["settings"] == COURSE for s in run.snapshots())


@pytest.fixture
def own_imports() -> Iterator[None]:
    """Nothing that the sources of another run were imported as is found, or stays behind."""
    elsewhere = [folder for folder in sys.path if Path(folder).name != "source"]
    with patch.dict(sys.modules), patch.object(sys, "path", elsewhere):
        for name in ("train", "controlled"):
            sys.modules.pop(name, None)
        yield


@pytest.mark.usefixtures("own_imports")
def test_replayed_from_its_own_source_a_steered_training_is_exact(steered: Path) -> None:
    run = Run.open(steered)
    subject = Subject(steered)
    message = {"entry": run.manifest.training, "config": dict(run.manifest.config), "threads": 1}
    subject.build(message, b"")
    columns = run.series().columns
    for snapshot in run.snapshots()[:-1]:
        subject.training.load_state_dict(snapshot.state())
        for step in range(snapshot.step, snapshot.step + 15):
            for name, value in subject.training.step(step).items():
                assert columns[name].values[step] == value


def test_what_begins_anew_keeps_all_of_its_settings() -> None:
    training = usual_gan.build(TINY)
    settings = ImageGANSettings(training)
    training.control = KeptSettings(settings)
    first = {n: w.clone() for n, w in training.generator.state_dict().items()}
    settings.adjust(**COURSE)
    training.step(0)
    settings.begin_anew()
    assert settings.settings() == COURSE
    for name, weight in training.generator.state_dict().items():
        assert (weight == first[name]).all()


def test_kept_settings_change_no_bit_of_a_training() -> None:
    plain, kept = usual_gan.build(TINY), usual_gan.build(TINY)
    kept.control = KeptSettings(ImageGANSettings(kept))
    assert [plain.step(k) for k in range(3)] == [kept.step(k) for k in range(3)]


@pytest.mark.parametrize(("values", "steps"), [({"steps": 7}, 7), ({"epochs": 2}, 90)])
def test_the_length_of_a_training_in_epochs_is_known(values: Any, steps: int) -> None:
    training = akde_dcgan.build({"width": 2, **values})
    config = {"steps": 0, "epochs": 45, "batch": 32, **values}
    assert len(training.images) == 1438
    assert steered_recipe(training, config, dry_run=True).length == steps
    assert training.control is None


def test_a_learnt_controller_takes_images(tmp_path: Path) -> None:
    control = LearntControl(dry_run=True)
    train("image-gan", tmp_path / "run", {**TINY, "steps": 250}, snapshots=1, control=control)
    columns = Run.open(tmp_path / "run").series().columns
    assert "control/would_r1" in columns
