"""AKDE-BO over recipes: the run records what it did, replays to the bit, and is taken up again."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcc.control.akde_bo.attach import attach
from dlcc.control.akde_bo.recipe_control import AkdeBoControl
from dlcc.control.registry import CONTROLS, make_control
from dlcc.errors import OptionError
from dlcc.recipes import get_recipe
from dlcc.recipes.train import train
from dlcc.runs import Run
from dlcc.sandbox import available_levels
from dlcc.sandbox.child import Subject
from tests.stages.execution.test_execution import execute

SMALL = {"steps": 60, "width": 2, "batch": 4, "lr": 2e-5}
OPTIONS = {"every": 10, "windows": 4}


class StopError(Exception):
    """Interrupts a training."""


def stop(done: int, total: int) -> None:
    """Interrupt it between two snapshots."""
    if done == 37:
        raise StopError


@pytest.fixture(scope="module")
def controlled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose settings were changed; nobody writes to it."""
    out = tmp_path_factory.mktemp("akde") / "controlled"
    train("akde-dcgan", out, SMALL, snapshots=3, control=AkdeBoControl(OPTIONS))
    return out


def columns_of(path: Path) -> Mapping[str, Any]:
    return Run.open(path).series().columns


def test_a_controlled_run_records_its_actions(controlled: Path) -> None:
    columns = columns_of(controlled)
    assert columns["control/rule"].values.tolist()[:2] == [0, 20]
    assert columns["control/rate"].values.max() > 1
    assert Run.open(controlled).manifest.training == "source/controlled.py:build"
    assert Run.open(controlled).manifest.config["lr"] == 2e-5  # as it was set


@pytest.fixture(autouse=True)
def _own_modules() -> Iterator[None]:
    """Run's sources are imported as `train` and `controlled`, in this process."""
    before = list(sys.path)
    yield
    sys.path[:] = before
    for name in ("train", "controlled"):
        sys.modules.pop(name, None)


def test_its_own_source_replays_it_to_the_bit_actions_included(controlled: Path) -> None:
    run = Run.open(controlled)
    subject = Subject(controlled)
    message = {"entry": run.manifest.training, "config": dict(run.manifest.config), "threads": 1}
    subject.build(message, b"")
    columns = run.series().columns
    for snapshot in run.snapshots()[:-1]:
        subject.training.load_state_dict(snapshot.state())
        for step in range(snapshot.step, snapshot.step + 20):  # two windows end in it
            for name, value in subject.training.step(step).items():
                if name != "discriminator/held_out":
                    assert columns[name].values[step] == value


def test_interrupted_and_taken_up_again_it_ends_in_the_same_run(
    controlled: Path, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    with pytest.raises(StopError):
        train(
            "akde-dcgan", again, SMALL, snapshots=3, control=AkdeBoControl(OPTIONS), progress=stop
        )
    train("akde-dcgan", again, SMALL, snapshots=3, control=AkdeBoControl(OPTIONS))
    theirs, ours = columns_of(controlled), columns_of(again)
    assert ours.keys() == theirs.keys()
    for name, column in theirs.items():
        np.testing.assert_array_equal(ours[name].values, column.values)


def test_a_dry_run_is_the_very_run_that_would_have_been_without(tmp_path: Path) -> None:
    train("akde-dcgan", tmp_path / "plain", SMALL, snapshots=2)
    control = AkdeBoControl(OPTIONS, dry_run=True)
    train("akde-dcgan", tmp_path / "dry", SMALL, snapshots=2, control=control)
    plain, dry = columns_of(tmp_path / "plain"), columns_of(tmp_path / "dry")
    for name, column in plain.items():
        np.testing.assert_array_equal(dry[name].values, column.values)
    assert set(dry) - set(plain) >= {"control/would_rate", "control/would_rule"}
    assert control.actions
    assert Run.open(tmp_path / "dry").manifest.training == "source/train.py:build"


@pytest.mark.skipif(not available_levels(), reason="this machine isolates nothing")
def test_the_execution_stage_agrees_with_the_fixed_recipe_and_with_a_controlled_run(
    controlled: Path, tmp_path: Path
) -> None:
    settings = {"steps": 40, "width": 2, "batch": 4, "recipe": "fixed"}
    train("akde-dcgan", tmp_path / "fixed", settings, snapshots=4)
    assert execute(tmp_path / "fixed", extremes=False).findings == ()
    assert execute(controlled, extremes=False).findings == ()


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("image-gan", {"width": 2, "batch": 4}),
        ("image-vae", {"width": 2, "batch": 4}),
        ("ae-f3", {"batch": 16}),
    ],
)
@pytest.mark.parametrize("mode", ["sculpt", "literal"])
def test_others_that_it_serves_train_and_resume(
    recipe: str, settings: Mapping[str, Any], mode: str
) -> None:
    chosen = get_recipe(recipe)
    config = chosen.configure(settings)
    first, second = (chosen.module.build(config) for _ in range(2))
    for training in (first, second):
        attach(training, mode=mode, every=5, windows=3)
    for step in range(7):
        first.step(step)
    second.load_state_dict(first.state_dict())
    for step in range(7, 11):
        assert first.step(step) == second.step(step)


def test_a_recipe_that_it_cannot_serve_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    for recipe in ("ring", "map-f1"):
        with pytest.raises(OptionError, match=r"adds penalties to the losses of .*without it"):
            train(recipe, tmp_path / "run", control=AkdeBoControl())
    assert not (tmp_path / "run").exists()
    with pytest.raises(OptionError, match="before the training began"):
        _ = AkdeBoControl().controller


@pytest.mark.parametrize("name", [name for name in CONTROLS if "akde" in name or "walk" in name])
def test_every_name_makes_a_control_that_takes_a_training(name: str) -> None:
    recipe = get_recipe("akde-dcgan")
    config = recipe.configure(SMALL)
    training = recipe.module.build(config)
    control = make_control(name, {"penalty": (1e-3, 2.0)})
    assert control.take(training, config) is training
    row = control.watch(0, {})
    assert row is not None
    assert row["control/rule"] == 0
