"""Past runs of single networks: which are drawn, and what is kept of one."""

import json

import numpy as np
import pytest

from dlcc.engine.engines import Local
from dlcc.errors import LibraryError
from dlcc.health.run_features import run_features
from dlcc.kinds import kind_of
from dlcc.past_runs.build.image_vaes import draw_image_vae
from dlcc.past_runs.build.part_files import part_of, read_part
from dlcc.past_runs.build.settings import draw_group
from dlcc.past_runs.build.simulation import simulate
from dlcc.past_runs.build.single_networks import (
    RECIPES,
    SinglePlan,
    build_single,
    draw_single,
    single_job,
)
from dlcc.past_runs.configuration import setting_key
from dlcc.past_runs.in_use import library, shipped_library
from dlcc.past_runs.store import FRACTIONS, read_library
from dlcc.recipes import get_recipe, truth
from dlcc.recipes.train import train
from dlcc.records import Samples, Series
from dlcc.runs import Run


def test_every_drawn_setting_is_one_that_its_recipe_takes():
    drawn = [draw_single(3, number) for number in range(300)]
    assert {recipe for recipe, _ in drawn} == set(RECIPES)
    for recipe, settings in drawn:
        chosen = get_recipe(recipe)
        config = chosen.configure(settings)
        assert kind_of(chosen.family.objective(config)).past_runs.group == "single"
        assert chosen.family.target(config) is not None
        assert 250 <= chosen.family.length(config) <= 5000
    assert len({json.dumps(settings) for _, settings in drawn}) == 300


def test_a_draw_depends_on_seed_and_number_alone():
    assert draw_single(3, 5) == draw_single(3, 5)
    assert draw_single(3, 5) != draw_single(4, 5)


def test_too_few_runs_are_refused_before_any_is_trained(tmp_path):
    with pytest.raises(LibraryError, match="there would be 49"):
        build_single(tmp_path / "made.npz", SinglePlan(runs=49, seed=1), Local())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def short(monkeypatch):
    """Draws that train in no time."""
    monkeypatch.setattr(
        "dlcc.past_runs.build.single_networks.draw_single",
        lambda seed, number: ("map-f1", {"batch": 800, "epochs": 200 + number, "seed": number}),
    )


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_what_is_kept_of_a_run_is_what_its_folder_says(tmp_path):
    (tmp_path / "part").write_bytes(single_job(1, 7)())
    (past,) = read_part(tmp_path / "part")
    settings = {"batch": 800, "epochs": 207, "seed": 7}
    train("map-f1", tmp_path / "run", settings, overtrain=1.25, snapshots=1)
    run = Run.open(tmp_path / "run")
    judged = truth.read(run.path)
    assert past.kind.name in ("map", "autoencoder")
    assert (past.label, past.stability) == (judged.label, judged.stability)
    assert past.next_quarter[-1] == np.mean(judged.good[-10:])
    for k, fraction in enumerate(FRACTIONS):
        until = round(fraction * run.length)
        series, samples = Series.of(run, until), Samples.of(run, until)
        expected = run_features(series, samples, run.length, kind=past.kind)
        found, good = past.curves(k), shipped_library().good
        np.testing.assert_allclose(found.windows, expected.curves.windows)
        np.testing.assert_allclose(found.samples, expected.curves.samples)
        np.testing.assert_allclose(good(found), expected.good(good))


@pytest.mark.slow
@pytest.mark.usefixtures("short")
def test_a_killed_build_goes_on_from_what_it_had(tmp_path):
    """What is there is not made again, and the library has these runs with their terms."""
    out, parts = tmp_path / "made.npz", tmp_path / "made.npz.parts"
    parts.mkdir()
    jobs = [single_job(1, number) for number in range(50)]
    for job in jobs[:49]:
        (parts / job.address).write_bytes(job())
    before = {path: path.stat().st_mtime_ns for path in parts.iterdir()}
    build_single(out, SinglePlan(runs=50, seed=1), Local())
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert {path.name for path in parts.iterdir()} == {job.address for job in jobs}
    made = read_library(out)
    assert len(made) == 50
    assert made.group == "single"
    assert np.isfinite(made.terms[:, 1:3, 0]).all()
    assert np.isnan(made.terms[:, [0, 3], 0]).all()


def test_older_parts_are_of_gans(tmp_path):
    (tmp_path / "new").write_bytes(part_of(simulate([{**draw_group(5, 0, 1)[0], "steps": 60}])))
    with np.load(tmp_path / "new") as table:
        np.savez(tmp_path / "old.npz", **{k: v for k, v in table.items() if k != "kind"})
    assert [run.kind.name for run in read_part(tmp_path / "old.npz")] == ["gan"]


def test_every_drawn_autoencoder_of_images_is_one_that_its_recipe_takes():
    recipe = get_recipe("image-vae")
    configs = [recipe.configure(draw_image_vae(3, number)) for number in range(200)]
    assert len({setting_key(config) for config in configs}) == 200
    assert {config["data"] for config in configs} == {"mnist5k", "fashion", "letters"}
    assert draw_image_vae(3, 5) == draw_image_vae(3, 5) != draw_image_vae(4, 5)


@pytest.mark.slow
def test_autoencoders_of_images_join_a_library(tmp_path, monkeypatch):
    drawn = draw_image_vae

    def short(seed, number):
        return {**drawn(seed, number), "data": "digits", "net": "dense", "width": 2, "steps": 40}

    monkeypatch.setattr("dlcc.past_runs.build.image_vaes.draw_image_vae", short)
    monkeypatch.setattr("dlcc.past_runs.build.single_networks.draw_image_vae", short)
    base = library("single").select(np.arange(60))
    base.save(tmp_path / "base.npz")
    plan = SinglePlan(vaes=2, seed=3, joined=tmp_path / "base.npz")
    made = build_single(tmp_path / "made.npz", plan, Local())
    assert len(made) == 62
    assert made.data[-2:].tolist() == ["digits", "digits"]
    assert len(made.in_features) == 2
    np.testing.assert_array_equal(made.vectors[:60, :, : len(base.names)], base.vectors)
