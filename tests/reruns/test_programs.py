"""How reruns are run, and what is made of them."""

import numpy as np
import pytest

from dlcc.errors import ForeignCodeError, LimitExceeded
from dlcc.past_runs.build import doctoring
from dlcc.past_runs.in_use import shipped_library
from dlcc.recipes.small_gan import training as small_gan
from dlcc.records import Config, Samples, Sources
from dlcc.reruns.outcome import Refused
from dlcc.reruns.plan import Rerun
from dlcc.reruns.programs import EnsembleProgram, program_of
from dlcc.reruns.sandbox_program import SandboxProgram
from dlcc.reruns.study import rerun
from dlcc.runs import Run
from dlcc.sandbox import Level
from dlcc.stage import Deadline
from tests.conftest import example
from tests.sandbox.in_process import InProcessSession

SETTING = {"data": "ring", "seed": 4, "lr_g": 1e-3, "lr_d": 4e-3, "optimizer": "adam"}


def quiet(share: float, what: str) -> None:
    """Progress that nobody looks at."""


def trained(*plan: Rerun, length: int = 24):
    return EnsembleProgram(None).run(plan, length, Deadline(60), quiet)


def test_other_batches_start_from_the_runs_own_weights():
    own, batches, other = trained(
        Rerun("seed", SETTING),
        Rerun("batches", {**SETTING, "seed": 9}, weights_seed=4),
        Rerun("seed", {**SETTING, "seed": 9}),
    )
    solo = small_gan.build(SETTING)
    solo.load_state_dict(small_gan.build(SETTING).state_dict())
    solo.config = small_gan.Config.parse({**SETTING, "seed": 9})
    expected = [solo.step(step)["generator/loss"] for step in range(24)]
    losses = [r.series.columns["generator/loss"].values for r in (own, batches, other)]
    assert losses[1] == pytest.approx(expected, rel=1e-3)
    assert abs(losses[1][0] - losses[0][0]) < abs(losses[2][0] - losses[0][0])


def test_shapes_that_differ_are_trained_apart_and_come_back_in_order():
    plan = [Rerun("seed", {**SETTING, "width": width}) for width in (16, 32, 16)]
    first, second, third = (r.series.columns["generator/loss"].values for r in trained(*plan))
    assert np.array_equal(first, third)
    assert not np.array_equal(first, second)


def test_time_that_is_up_ends_it():
    with pytest.raises(LimitExceeded):
        EnsembleProgram(None).run([Rerun("seed", SETTING)], 40, Deadline(0), quiet)


def parts(name: str):
    run = Run.open(example(name))
    return Config.of(run, None), Sources.of(run, None), Samples.of(run, None)


def no_sandbox():
    raise AssertionError("a recipe needs none")


def test_a_recipe_is_one_ensemble_and_code_that_was_changed_is_not():
    config, sources, samples = parts("ring-oscillating")
    assert program_of(config, sources, samples, no_sandbox).how == "one ensemble"
    changed = Sources(sources.root, {name: text + "#" for name, text in sources.files.items()})
    with pytest.raises(AssertionError, match="needs none"):
        program_of(config, changed, samples, no_sandbox)
    assert "Recorder(..., build=build)" in program_of(config, None, samples, no_sandbox)


def test_samples_of_another_kind_than_the_training_data_are_not_held_against_them(monkeypatch):
    config, sources, samples = parts("ring-oscillating")
    changed = Sources(sources.root, {name: text + "#" for name, text in sources.files.items()})
    alike = program_of(config, changed, samples, lambda: None)
    assert alike.reference is not None
    monkeypatch.setattr(Samples, "comparable", lambda self, step: False)
    unlike = program_of(config, changed, samples, lambda: None)
    assert unlike.reference is None


def test_a_study_of_every_kind_of_rerun():
    """Of a training in which nothing is learnt every rerun ends alike."""
    config, sources, samples = parts("ring-oscillating")
    made = rerun(
        program_of(config, sources, samples, no_sandbox),
        {**config.config, "lr_g": 1e-9, "lr_d": 1e-9},
        40,
        shipped_library(),
        10,
        rng=np.random.default_rng(0),
        deadline=Deadline(60),
        progress=quiet,
    )
    assert [o.kind for o in made.outcomes] == ["seed"] * 5 + ["setting"] * 4 + ["batches"]
    assert made.deviation.mean > 0.7
    assert all(abs(2 * effect.effect.mean - 1) < 0.2 for effect in made.effects)
    assert all(("lr_g" in o.changes) == (o.kind == "setting") for o in made.outcomes)


@pytest.mark.parametrize(
    ("where", "fault"),
    [
        ("def build(config: Mapping[str, Any]) -> SmallGAN:\n", "raise ValueError('odd')"),
        ("def build(config: Mapping[str, Any]) -> SmallGAN:\n", "import os; os._exit(3)"),
        ("    def batch(self, step: int) -> Batch:\n", "raise ValueError('odd')"),
    ],
)
def test_a_setting_with_which_the_code_fails_does_not_end_the_reruns(
    small_run, where, fault, monkeypatch
):
    """Where it is built, where it ends its process, and where it makes a step."""
    if "_exit" not in fault:
        monkeypatch.setattr("dlcc.reruns.sandbox_program.Session", InProcessSession)
    asked = "config['lr_g'] == 9" if "build" in where else "self.config.lr_g == 9"
    indent = "    " * (1 + where.startswith("    "))
    doctoring.edit_source(small_run, where, f"{where}{indent}if {asked}:\n{indent}    {fault}\n")
    run = Run.open(small_run)
    config = dict(run.manifest.config)
    plan = [Rerun("seed", config), Rerun("setting", config | {"lr_g": 9}), Rerun("seed", config)]
    program = SandboxProgram(str(run.manifest.training), run.source_files(), Level.NONE, None)
    first, refused, third = program.run(plan, 30, Deadline(60), quiet)
    assert isinstance(refused, Refused)
    assert np.array_equal(*(r.series.columns["generator/loss"].values for r in (first, third)))


class Refusing(EnsembleProgram):
    """An ensemble of which configurations of one kind are refused."""

    def __init__(self, kind):
        super().__init__(None)
        object.__setattr__(self, "refused_kind", kind)

    def run(self, plan, length, deadline, progress):
        made = super().run(plan, length, deadline, progress)
        refused = Refused(ForeignCodeError("not with me"))
        return [
            refused if rerun.kind == self.refused_kind else recorded
            for rerun, recorded in zip(plan, made, strict=True)
        ]


def studied(program):
    return rerun(
        program, {**SETTING, "data": "ring"}, 40, shipped_library(), 10,
        rng=np.random.default_rng(0), deadline=Deadline(60), progress=quiet,
    )  # fmt: skip


def test_a_study_leaves_out_the_settings_that_are_refused():
    made = studied(Refusing("setting"))
    assert made.refused == 4
    assert [o.kind for o in made.outcomes] == ["seed"] * 5 + ["batches"]
    assert made.effects == ()


def test_a_study_of_code_that_refuses_other_seeds_is_refused():
    with pytest.raises(ForeignCodeError, match="not with me"):
        studied(Refusing("seed"))
