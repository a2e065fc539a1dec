"""Training into a run folder: what is recorded, going on, errors."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dlcc.errors import OptionError
from dlcc.health.definitions import sample_steps
from dlcc.recipes import get_recipe, recipes, truth
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.small_gan.page import FORMULAS, method_page
from dlcc.recipes.train import judge_run, train
from dlcc.runs import Run
from tests.recipes.same import assert_same_run

STEPS = 200
SETTINGS = {"steps": STEPS, "seed": 5, "batch": 8, "width": 8, "r1": 0.1}


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    """A short run on the ring, carried on to 1.25 of its length."""
    out = tmp_path_factory.mktemp("runs") / "ring"
    train("ring", out, SETTINGS, overtrain=1.25, snapshots=4)
    return Run.open(out)


# --- the record -----------------------------------------------------------------------------------


def test_the_run_says_what_it_is(ring):
    manifest = ring.manifest
    assert manifest.objective == {"kind": "gan", "loss": "ns"}
    assert manifest.data == {"name": "ring"}
    assert manifest.config == get_recipe("ring").configure(SETTINGS)
    assert (manifest.seed, manifest.length) == (5, STEPS)
    assert manifest.training == "source/train.py:build"
    source = ring.path / "source" / "train.py"
    assert source.read_bytes() == Path(small_gan.__file__).read_bytes()
    assert ring.reference().shape == (2048, 2)


def test_every_step_is_recorded(ring):
    columns = ring.series().columns
    for player in ("generator", "discriminator"):
        for quantity in ("loss", "grad_norm"):
            column = columns[f"{player}/{quantity}"]
            assert column.steps.tolist() == list(range(250))
    training = small_gan.build(ring.manifest.config)
    row = training.step(0)
    assert {name: columns[name].values[0] for name in row} == row


def test_samples_are_there_at_the_checkpoints(ring):
    assert ring.sample_steps() == sample_steps(STEPS, truth.SAMPLE_STEPS, 1.25)
    assert all(ring.samples(step).shape == (512, 2) for step in ring.sample_steps())


def test_snapshots_are_resumable_and_replay(ring):
    assert [snapshot.step for snapshot in ring.snapshots()] == [0, 50, 100, 150, 200, 250]
    snapshot = ring.snapshots()[2]
    training = small_gan.build(ring.manifest.config)
    training.load_state_dict(snapshot.state())
    columns = ring.series().columns
    for step in range(100, 150):
        row = training.step(step)
        assert {name: columns[name].values[step] for name in row} == row
    np.testing.assert_array_equal(training.sample(512, seed=150).numpy(), ring.samples(150))


def test_the_truth_is_judged_from_the_recorded_samples(ring):
    judged = truth.read(ring.path)
    assert judged == judge_run(ring, "ring", 1.25)
    assert judged.length == STEPS
    assert len(judged.checkpoints) == 50
    assert judged.next_quarter is not None
    third = truth.judge_samples("ring", judged.checkpoints[2].step, ring.samples(15))
    assert judged.checkpoints[2].histogram == third.histogram


def test_digits_keep_samples_at_half_precision(tmp_path):
    train("digits", tmp_path / "run", {"steps": 40, "batch": 4, "width": 4}, snapshots=1)
    run = Run.open(tmp_path / "run")
    assert run.samples(40).dtype == np.float16
    assert run.samples(40).shape == (256, 64)
    np.testing.assert_array_equal(run.reference(), small_gan.load_digits()[0])
    assert truth.read(run.path).checkpoints[-1].step == 40


# --- going on -------------------------------------------------------------------------------------


def test_a_complete_run_is_not_trained_again(ring):
    before = {path: path.stat().st_mtime_ns for path in ring.path.rglob("*")}
    assert train("ring", ring.path, SETTINGS, overtrain=1.25) == truth.read(ring.path)
    assert {path: path.stat().st_mtime_ns for path in ring.path.rglob("*")} == before


def test_a_complete_run_is_carried_on_beyond_its_length(tmp_path, ring):
    out = tmp_path / "ring"
    judged = train("ring", out, SETTINGS, snapshots=4)
    assert judged.next_quarter is None
    assert train("ring", out, SETTINGS, overtrain=1.25, snapshots=4) == truth.read(ring.path)
    assert_same_run(Run.open(out), ring)


def test_an_interrupted_run_is_good_and_goes_on(tmp_path, ring):
    def interrupt(done: int, total: int) -> None:
        assert total == 250
        if done == 120:
            raise KeyboardInterrupt

    out = tmp_path / "ring"
    with pytest.raises(KeyboardInterrupt):
        train("ring", out, SETTINGS, overtrain=1.25, snapshots=4, progress=interrupt)
    run = Run.open(out)
    assert run.series().columns["generator/loss"].steps[-1] == 119
    assert not (out / truth.TRUTH_FILE).exists()
    train("ring", out, SETTINGS, overtrain=1.25, snapshots=4)
    assert_same_run(Run.open(out), ring)
    assert truth.read(out) == truth.read(ring.path)


def test_training_keeps_torchs_threads(tmp_path):
    before = torch.get_num_threads()
    train("ring", tmp_path / "run", {"steps": 40, "width": 4}, snapshots=1)
    assert torch.get_num_threads() == before


# --- the registry ---------------------------------------------------------------------------------


def test_recipes_are_listed_with_their_options():
    assert {"ring", "grid9", "grid25", "digits", "lgc-vanilla", "lgc-dcgan"} <= recipes().keys()
    for recipe in recipes().values():
        assert recipe.description
        assert all(option.help for option in recipe.options)
        json.dumps(recipe.configure({}))
        for players in recipe.parameters().values():
            assert all(size > 100 for size in players.values())
    for name in ("ring", "grid9", "grid25", "digits"):
        recipe = get_recipe(name)
        options = {option.key: option for option in recipe.options}
        assert "data" not in options
        assert options["loss"].allowed == "ns, mm, ls, hinge, wgangp"
        assert options["lr_g"].allowed == "0 to 10"
        defaults = {key: option.default for key, option in options.items()}
        assert recipe.configure({}) == {"data": recipe.name} | defaults


@pytest.mark.parametrize(
    ("recipe", "settings", "arguments", "said"),
    [
        (
            "rings",
            {},
            {},
            r"'rings' \(did you mean ring\?\): choose one of .*ring, grid9, grid25, digits",
        ),
        (
            "ring",
            {"lr": 1},
            {},
            r"'lr' \(did you mean lr_g\?\); its keys are loss \(ns, mm, ls, hinge, wgangp\)",
        ),
        ("ring", {"data": "digits"}, {}, "no key 'data'"),
        ("ring", {"loss": "bce"}, {}, "recipe ring: loss is 'bce': choose one of ns"),
        ("ring", {"steps": 10}, {}, "steps is 10: give a value from 40"),
        ("ring", {}, {"overtrain": 2.0}, "overtrain is 2.0: give a value from 1 to 1.25"),
        ("ring", {}, {"snapshots": 0}, "snapshots is 0: give 1 or more"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_made(
    tmp_path, recipe, settings, arguments, said
):
    with pytest.raises(OptionError, match=said):
        train(recipe, tmp_path / "run", settings, **arguments)
    assert not (tmp_path / "run").exists()


def test_another_configuration_in_the_same_folder_is_refused(ring):
    with pytest.raises(OptionError, match="holds a run with seed 5, not 6"):
        train("ring", ring.path, SETTINGS | {"seed": 6})


# --- the document ---------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", small_gan.LOSSES)
def test_the_page_introduces_the_formulas_of_the_loss(loss):
    recipe = get_recipe("digits")
    page = method_page(recipe, recipe.configure({"loss": loss, "r1": 0.5, "g_every": 5}))
    _, discriminator, generator = FORMULAS[loss]
    assert f"The discriminator minimises\n\n$$\n{discriminator}\n$$" in page
    assert f"The generator minimises\n\n$$\n{generator}\n$$" in page
    assert ("gradient penalty" in page) is (loss == "wgangp")
    assert "$\\gamma = 0.5$" in page
    assert "the generator in every step that 5 divides" in page
    assert f"| loss | {loss} | the players' losses |" in page


def test_the_page_of_a_run_is_that_of_its_configuration(ring):
    page = (ring.path / "documents" / "method.md").read_text(encoding="utf-8")
    assert page == method_page(get_recipe("ring"), ring.manifest.config)
    assert "least-squares" not in page


def test_a_run_that_was_killed_before_its_truth_is_only_judged(tmp_path):
    """Trained further than its truth says: the truth is written anew, and no step is taken."""
    out, settings = tmp_path / "run", {"steps": 40, "batch": 4, "width": 4}
    train("ring", out, settings, overtrain=1.25, snapshots=1)
    whole = truth.read(out)
    judge_run(Run.open(out), "ring", 1.0).write(out)
    assert len(truth.read(out).checkpoints) < len(whole.checkpoints)

    def step_taken(done: int, total: int) -> None:
        raise AssertionError("a step was taken")

    assert train("ring", out, settings, overtrain=1.25, snapshots=1, progress=step_taken) == whole
    assert truth.read(out) == whole
