"""Where a change is trained, and from which snapshot."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from dlcc.advice.apply import apply_change, check_place, known_recipe, last_good_snapshot
from dlcc.advice.change import Change
from dlcc.errors import OptionError
from dlcc.estimate import Estimate
from dlcc.recipes.train import train
from dlcc.records import HealthRecord
from dlcc.runs import Run
from tests.conftest import unlisted

CHANGE = Change({"lr_d": 1e-3})


def health_of(good_until: int, onset: int | None = None) -> HealthRecord:
    """The health of a run of 200 steps whose samples were good until a step."""
    steps = np.arange(5, 201, 5)
    return HealthRecord(
        label="oscillating", probabilities={}, onset=onset, onset_interval=None,
        stability=Estimate.ignorance(), checkpoints=steps, coverage=steps, quality=steps,
        figures=np.zeros((0, 8)), good=(steps <= good_until).astype(float), seen=1.0, features={},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("good_until", "onset", "step"),
    [(200, None, 100), (70, None, 60), (200, 50, 40), (4, None, None)],
)
def test_a_training_goes_on_from_where_it_was_good(
    small_run: Path, good_until: int, onset: int | None, step: int | None
) -> None:
    """In the first half: a run is judged by its second."""
    found = last_good_snapshot(Run.open(small_run), health_of(good_until, onset))
    assert (None if found is None else found.step) == step


def test_without_a_verdict_a_training_starts_again(small_run: Path) -> None:
    assert last_good_snapshot(Run.open(small_run), None) is None


def test_a_change_is_trained_from_the_last_good_snapshot(small_run: Path, tmp_path: Path) -> None:
    done = apply_change(Run.open(small_run), CHANGE, tmp_path / "new", health_of(200), seed=0)
    assert done.words == "resumed from step 100"
    new = Run.open(tmp_path / "new")
    assert new.manifest.config["lr_d"] == 1e-3
    assert new.series().columns["generator/loss"].steps.tolist() == list(range(100, 200))


def test_places_that_cannot_take_a_new_run(small_run: Path, tmp_path: Path) -> None:
    run = Run.open(small_run)
    other = shutil.copytree(small_run, tmp_path / "other")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    for out, words in (
        (other, "lr_d"), (tmp_path / "full", "holds no run"), (small_run / "new", "in the run"),
    ):  # fmt: skip
        with pytest.raises(OptionError, match=words):
            check_place(run, CHANGE, out)
    check_place(run, CHANGE, tmp_path / "new")


def test_every_recipe_of_gans_is_known_by_its_code_and_what_its_name_stands_for(
    tmp_path: Path,
) -> None:
    train("lgc-vanilla", tmp_path / "run", {"steps": 40, "batch": 4})
    run = Run.open(tmp_path / "run")
    recipe = known_recipe(run)
    assert recipe is not None
    assert recipe.name == "lgc-vanilla"
    done = apply_change(run, Change({"lr": 5e-4}), tmp_path / "new", health_of(200), seed=0)
    assert done.words == "started again"  # its snapshots hold the rate
    assert Run.open(tmp_path / "new").manifest.config["lr"] == 5e-4
    (unlisted(tmp_path / "run") / "source" / "train.py").write_text("# mine")
    assert known_recipe(run) is None
