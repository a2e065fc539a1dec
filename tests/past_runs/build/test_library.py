"""A library made from nothing, and from what a killed build left."""

from dataclasses import replace

import numpy as np
import pytest

from dlcc.engine.engines import Local
from dlcc.errors import LibraryError, RunError
from dlcc.past_runs.build.image_gans import draw_image_gan
from dlcc.past_runs.build.library import BuildPlan, build_library, group_jobs
from dlcc.past_runs.build.part_files import part_of
from dlcc.past_runs.build.settings import draw_group
from dlcc.past_runs.build.simulation import simulate
from dlcc.past_runs.configuration import setting_key
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.store import TERMS, TRACE_STEPS, TRACES, read_library
from dlcc.recipes import get_recipe


def quiet(share: float, what: str) -> None:
    """Progress that nobody looks at."""


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (BuildPlan(groups=0), "needs runs, 50 or more of them, and there would be 0"),
        (BuildPlan(groups=1, members=49), "there would be 49: ask for more"),
    ],
)
def test_too_few_runs_are_refused_before_any_is_trained(tmp_path, plan, words):
    with pytest.raises(LibraryError, match=words):
        build_library(tmp_path / "made.npz", plan, Local())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_recorded_runs_is_refused(tmp_path):
    plan = BuildPlan(recorded=(tmp_path / "none",))
    with pytest.raises(LibraryError, match=r"none: no folder in it is a run with its truth.json"):
        build_library(tmp_path / "made.npz", plan, Local())


def groups_left(parts, plan):
    """What a build of this plan leaves of its groups: five short trainings, over and over."""
    few = simulate([{**config, "steps": 60} for config in draw_group(5, 0, 5)])
    parts.mkdir()
    left = []
    for group, job in enumerate(group_jobs(plan)):
        drawn = draw_group(plan.seed, group, plan.members)
        runs = [
            replace(few[i % 5], config={**few[i % 5].config, "seed": config["seed"]})
            for i, config in enumerate(drawn)
        ]
        (parts / job.address).write_bytes(part_of(runs))
        left += runs
    return left


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A build of which all groups were left: its plan, file and runs, and the finished library."""
    folder = tmp_path_factory.mktemp("build")
    plan = BuildPlan(groups=2, members=30)
    runs = groups_left(folder / "made.npz.parts", plan)
    return plan, folder / "made.npz", runs


@pytest.mark.slow
def test_a_killed_build_goes_on_from_what_it_had(killed):
    """All groups are there: nothing is trained, and the library has these runs with their terms."""
    plan, out, runs = killed
    build_library(out, plan, Local())
    made = read_library(out)
    assert [config["seed"] for config in made.configs] == [run.config["seed"] for run in runs]
    for name in ("novelty", "impact"):
        assert np.isfinite(made.terms[:, TERMS.index(name)]).all()
    assert np.isnan(made.terms[:, TERMS.index("logic")]).all()
    assert made.traces.shape == (60, TRACE_STEPS, len(TRACES))
    np.testing.assert_allclose(made.traces[7], runs[7].traces, rtol=1e-3)
    # Another plan does not take these for its own.
    others = {job.address for job in group_jobs(replace(plan, members=25))}
    assert not others & {path.name for path in out.with_name("made.npz.parts").iterdir()}


@pytest.mark.slow
def test_gans_on_images_join_a_library(tmp_path, monkeypatch):
    """Digits need no files; the library keeps what it had, and its P(good)."""
    drawn = draw_image_gan

    def short(seed, number):
        small = {"data": "digits", "net": "dense", "width": 2, "batch": 8, "steps": 40}
        return {**drawn(seed, number), **small, "loss": "ns", "r1": 0.0, "r2": 0.0, "d_steps": 1}

    monkeypatch.setattr("dlcc.past_runs.build.image_gans.draw_image_gan", short)
    base = shipped_library().select(np.arange(60))
    base.save(tmp_path / "base.npz")
    plan = BuildPlan(groups=0, images=2, seed=3, joined=tmp_path / "base.npz")
    made = build_library(tmp_path / "made.npz", plan, Local())
    assert len(made) == 62
    assert made.data[-2:].tolist() == ["digits", "digits"]
    assert [config["folder"] for config in made.configs[-2:]] == ["", ""]
    assert np.isfinite(made.traces[-2:, :, :2]).all()
    kept = read_library(tmp_path / "base.npz")
    np.testing.assert_array_equal(made.vectors[:60], kept.vectors)
    np.testing.assert_array_equal(made.good.series_only.mode, kept.good.series_only.mode)
    assert np.isfinite(made.columns(["good_half"], series_only=False)[-2:]).all()


def test_images_that_are_not_there_are_refused_before_anything_is_trained(tmp_path):
    plan = BuildPlan(groups=0, images=60, folders={"fashion": str(tmp_path / "none")})
    with pytest.raises(RunError, match="none"):
        build_library(tmp_path / "made.npz", plan, Local())
    assert list(tmp_path.iterdir()) == []


def test_every_drawn_image_gan_is_one_that_its_recipe_takes():
    recipe = get_recipe("image-gan")
    configs = [recipe.configure(draw_image_gan(3, number)) for number in range(300)]
    assert len({setting_key(config) for config in configs}) == 300
    assert all(600 <= config["steps"] <= 5_000 for config in configs)
    assert {config["data"] for config in configs} == {"mnist5k", "fashion", "letters"}
    assert draw_image_gan(3, 5) == draw_image_gan(3, 5) != draw_image_gan(4, 5)
