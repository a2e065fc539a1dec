"""A library made from nothing, and from what a killed build left."""

import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest

from dlcc.errors import LibraryError
from dlcc.past_runs.build.library import BuildPlan, build_library, make_missing
from dlcc.past_runs.build.part_files import write_part
from dlcc.past_runs.build.settings import draw_group
from dlcc.past_runs.build.simulation import simulate
from dlcc.past_runs.store import TERMS, read_library


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
        build_library(tmp_path / "made.npz", plan, 1, quiet)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_recorded_runs_is_refused(tmp_path):
    plan = BuildPlan(recorded=(tmp_path / "none",))
    with pytest.raises(LibraryError, match=r"none: no folder in it is a run with its truth.json"):
        build_library(tmp_path / "made.npz", plan, 1, quiet)


def slowly(file):
    """Make a part of a build."""
    time.sleep(0.2)
    file.touch()


def test_ctrl_c_leaves_what_is_there_and_makes_no_more(tmp_path):
    def strike(share, what):
        raise KeyboardInterrupt

    files = {tmp_path / str(k): () for k in range(30)}
    with (
        pytest.raises(KeyboardInterrupt),
        ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool,
    ):
        make_missing(pool, slowly, files, strike, "training")
    assert 1 <= len(list(tmp_path.iterdir())) <= 5


def groups_left(parts, plan):
    """What a build of this plan leaves of its groups: five short trainings, over and over."""
    few = simulate([{**config, "steps": 60} for config in draw_group(5, 0, 5)])
    left = []
    for group in range(plan.groups):
        drawn = draw_group(plan.seed, group, plan.members)
        runs = [
            replace(few[i % 5], config={**few[i % 5].config, "seed": config["seed"]})
            for i, config in enumerate(drawn)
        ]
        write_part(parts / f"group-{group:03d}.npz", runs)
        left += runs
    return left


@pytest.mark.slow
def test_a_killed_build_goes_on_from_what_it_had(tmp_path):
    """All groups are there: nothing is trained, and the library has these runs with their terms."""
    plan = BuildPlan(groups=2, members=30)
    runs = groups_left(tmp_path / "made.npz.parts", plan)
    build_library(tmp_path / "made.npz", plan, 1, quiet)
    made = read_library(tmp_path / "made.npz")
    assert [config["seed"] for config in made.configs] == [run.config["seed"] for run in runs]
    for name in ("novelty", "impact"):
        assert np.isfinite(made.terms[:, TERMS.index(name)]).all()
    assert np.isnan(made.terms[:, TERMS.index("logic")]).all()
    with pytest.raises(LibraryError, match=r"group-000.npz: was made with other --seed or --mem"):
        build_library(tmp_path / "made.npz", replace(plan, members=25), 1, quiet)
