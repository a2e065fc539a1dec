from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcc.advice.prior import ConfigPrior
from dlcc.control.adjustable import MemberSettings, SmallGANSettings, bounds_of
from dlcc.control.learning.moves import MOVES
from dlcc.control.learning.policy import Advice
from dlcc.control.learning.situation import Situation
from dlcc.control.recipe_control import LearntControl, RecipeControl
from dlcc.control.registry import make_control
from dlcc.control.rule_controller import RuleController, controller_for
from dlcc.control.steering import choose_target
from dlcc.ensembles import Ensemble
from dlcc.errors import OptionError
from dlcc.past_runs.build import doctoring
from dlcc.past_runs.in_use import shipped_library
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.train import train
from dlcc.runs import Run
from dlcc.sandbox import available_levels
from dlcc.sandbox.child import Subject
from tests.stages.execution.test_execution import execute

FAILING = {"lr_g": 0.2, "lr_d": 0.2, "steps": 200}
SMALL = {"steps": 200, "batch": 8, "width": 8, "lr_g": 1e-3, "lr_d": 1e-3}


class FlatPrior(ConfigPrior):
    """Likes lr_d to be near 0.01, and an R1 penalty."""

    def __init__(self) -> None:
        super().__init__(np.empty((0, 21)), np.empty(0, dtype=bool))

    def __call__(self, configs: Any) -> Any:
        return np.array([
            0.9 * float(abs(np.log10(c["lr_d"]) + 2) < 0.7) * (1.0 if c["r1"] > 0 else 0.8)
            for c in configs
        ])  # fmt: skip


def test_a_course_lies_within_bounds_and_promises_more() -> None:
    now = {"lr_g": 1e-3, "lr_d": 1e-4, "r1": 0.0}
    config = {**now, "loss": "ns"}
    course = choose_target(FlatPrior(), config, now, bounds_of(now, None))
    assert course is not None
    assert course.after > course.before + 0.15
    assert abs(np.log10(course.target["lr_d"]) + 2) < 0.7
    assert "lr_g" not in course.target  # it helps nothing
    narrow = bounds_of(now, {"lr_d": (5e-5, 2e-4)})
    assert choose_target(FlatPrior(), config, now, narrow) is None
    sound = now | {"lr_d": 1e-2}
    assert choose_target(FlatPrior(), {**config, **sound}, sound, bounds_of(sound, None)) is None


def test_past_runs_move_a_failing_configuration_and_leave_a_good_one() -> None:
    library = shipped_library()
    prior = ConfigPrior.fit(library, "ring")
    for settings, moves in ((FAILING, True), ({"r1": 0.1}, False)):
        training = small_gan.build({"data": "ring", **settings})
        config = {k: getattr(training.config, k) for k in small_gan.Config.__dataclass_fields__}
        controller = controller_for(SmallGANSettings(training), config, library, prior=prior)
        assert bool(controller.actions) == moves
        rate = training.optimizers["discriminator"].param_groups[0]["lr"]
        assert rate == training.config.lr_d
        assert rate < 0.2 or not moves


def test_a_member_of_an_ensemble_is_adjusted_alone() -> None:
    ensemble = Ensemble([{"seed": 1}, {"seed": 2}])
    member = MemberSettings(ensemble, 1)
    member.adjust(lr_g=5e-3, g_every=2.0, r1=0.1)
    assert member.settings() == {"lr_g": 5e-3, "lr_d": 4e-3, "r1": 0.1, "g_every": 2, "d_every": 1}
    assert ensemble.configs[0].lr_g == 1e-3


@pytest.fixture(scope="module")
def controlled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ring GAN whose controller changed a setting while it trained; nobody writes to it."""
    out = tmp_path_factory.mktemp("control") / "controlled"
    train("ring", out, SMALL, snapshots=4, control=eager())
    return out


class Eager(RecipeControl):
    """Acts at its second decision, whatever it sees."""

    def take(self, training: Any, config: Mapping[str, Any]) -> Any:
        taken = super().take(training, config)
        assert isinstance(self.controller, RuleController)
        rule = self.controller.rules[0]
        eager = replace(rule, measure=lambda watched: float(watched.seen == 2), on=0.5, hold=1)
        self.controller.rules = (eager,)
        return taken


def eager() -> RecipeControl:
    return Eager()


@pytest.mark.skipif(not available_levels(), reason="this machine isolates nothing")
def test_its_replays_leave_no_finding_until_a_setting_is_forged(
    controlled: Path, tmp_path: Path
) -> None:
    """No training returns `control/...`: the states of the snapshots have the settings."""
    copy = tmp_path / "forged"
    shutil.copytree(controlled, copy)
    assert execute(copy, extremes=False).findings == ()
    doctoring.set_value(copy, "control/lr_d", 99, 0.25)
    (finding,) = execute(copy, extremes=False).findings
    assert finding.code == "EXE009"
    assert "control/lr_d" in finding.evidence


def test_a_controlled_run_records_its_actions_and_brings_what_replays_it(controlled: Path) -> None:
    run = Run.open(controlled)
    columns = run.series().columns
    assert columns["control/lr_d"].steps.tolist() == [0, 99]
    assert columns["control/lr_d"].values.tolist() == [1e-3, 5e-4]
    assert run.manifest.training == "source/controlled.py:build"
    assert run.manifest.config["lr_d"] == 1e-3  # as it was set
    assert [s.state()["settings"]["lr_d"] for s in run.snapshots()] == [
        1e-3, 1e-3, 5e-4, 5e-4, 5e-4]  # fmt: skip


def test_replayed_from_its_own_source_every_stretch_without_an_action_is_exact(
    controlled: Path,
) -> None:
    run = Run.open(controlled)
    subject = Subject(controlled)
    message = {"entry": run.manifest.training, "config": dict(run.manifest.config), "threads": 1}
    subject.build(message, b"")
    columns = run.series().columns
    for snapshot in run.snapshots()[:-1]:
        subject.training.load_state_dict(snapshot.state())
        for step in range(snapshot.step, snapshot.step + 40):
            for name, value in subject.training.step(step).items():
                assert columns[name].values[step] == value


def test_interrupted_and_taken_up_again_it_ends_in_the_same_run(
    controlled: Path, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 170:
            raise StopError

    with pytest.raises(StopError):
        train("ring", tmp_path / "again", SMALL, snapshots=4, control=eager(), progress=stop)
    control = eager()
    train("ring", tmp_path / "again", SMALL, snapshots=4, control=control)
    ours, theirs = (Run.open(p).series().columns for p in (tmp_path / "again", controlled))
    assert ours.keys() == theirs.keys()
    for name, column in theirs.items():
        np.testing.assert_array_equal(ours[name].values, column.values)
    assert [action.step for action in control.actions] == [99]


def test_a_dry_run_is_the_very_run_that_would_have_been_without(tmp_path: Path) -> None:
    class Dry(Eager):
        def __init__(self) -> None:
            super().__init__(dry_run=True)

    train("ring", tmp_path / "plain", SMALL, snapshots=2)
    train("ring", tmp_path / "dry", SMALL, snapshots=2, control=Dry())
    plain, dry = (Run.open(tmp_path / name) for name in ("plain", "dry"))
    assert dry.manifest.training == plain.manifest.training
    for name, column in plain.series().columns.items():
        np.testing.assert_array_equal(dry.series().columns[name].values, column.values)
    assert dry.series().columns["control/would_lr_d"].values.tolist() == [1e-3, 5e-4]


def test_there_is_no_controller_before_the_training() -> None:
    with pytest.raises(OptionError, match="before the training began"):
        _ = RecipeControl().controller
    training = small_gan.build({})
    with pytest.raises(OptionError, match="outside of its bounds"):
        RecipeControl({"lr_d": (0.0, 1e-5)}).take(training, {"data": "ring"})
    assert isinstance(RuleController(SmallGANSettings(training)), RuleController)


def test_a_recipe_of_another_kind_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    for recipe in ("lgc-vanilla", "map-f1"):
        with pytest.raises(OptionError, match=r"steers ring.*without --control"):
            train(recipe, tmp_path / "run", control=RecipeControl())
    assert not (tmp_path / "run").exists()


class Anew:
    """Policy that begins anew at the first decision, with usual rates, and then leaves it."""

    def advise(self, seen: Situation, bounds: Any, refused: Any = ()) -> Advice:
        move = next(k for k, move in enumerate(MOVES) if move.anew) if seen.share < 0.1 else 0
        return Advice(move, 0.3, 0.2)


LONGER = {**SMALL, "steps": 300}


def test_a_learnt_controller_begins_a_recorded_run_anew(tmp_path: Path) -> None:
    control = LearntControl(policy=Anew())  # type: ignore[arg-type]
    train("ring", tmp_path / "run", LONGER, snapshots=3, control=control)
    run = Run.open(tmp_path / "run")
    columns = run.series().columns
    assert columns["control/rule"].values.tolist() == [0.0, 13.0]
    (action,) = control.actions
    assert action.words.startswith("step 11, begun anew, learnt from controlled runs: lr_g")
    first, after = (snapshot.state() for snapshot in list(run.snapshots())[:2])
    assert first["settings"]["lr_d"] == 1e-3
    assert after["settings"]["lr_d"] == 2e-3
    assert run.manifest.training == "source/controlled.py:build"


def test_a_learnt_controller_that_is_taken_up_again_ends_in_the_same_run(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(step: int, total: int) -> None:
        if step == 150:
            raise StoppedError

    policy: Any = Anew()
    train("ring", tmp_path / "whole", LONGER, snapshots=3, control=LearntControl(policy=policy))
    with pytest.raises(StoppedError):
        train(
            "ring", tmp_path / "part", LONGER, snapshots=3, progress=stop,
            control=LearntControl(policy=policy),
        )  # fmt: skip
    train("ring", tmp_path / "part", LONGER, snapshots=3, control=LearntControl(policy=policy))
    whole, part = (Run.open(tmp_path / name).series().columns for name in ("whole", "part"))
    assert whole.keys() == part.keys()
    for name, column in whole.items():
        np.testing.assert_array_equal(part[name].values, column.values)


def test_the_shipped_policy_controls_by_name(tmp_path: Path) -> None:
    control = make_control("learnt", {"lr_d": (1e-4, 0.2)}, dry_run=True)
    train("ring", tmp_path / "run", {**LONGER, "lr_d": 0.2, "lr_g": 0.2}, control=control)
    columns = Run.open(tmp_path / "run").series().columns
    assert {"control/would_lr_d", "control/would_rule"} <= columns.keys()
    assert set(columns["control/would_lr_g"].values.tolist()) == {0.2}
