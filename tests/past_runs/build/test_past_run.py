"""From trainings to rows of a library."""

from dataclasses import replace

import numpy as np
import pytest

from dlcc.estimate import Estimate
from dlcc.past_runs.build.assembly import assemble, folds_by_setting
from dlcc.past_runs.build.part_files import part_of, read_part
from dlcc.past_runs.build.past_run import next_quarters, recorded_run
from dlcc.past_runs.build.settings import DATA, SHAPE, draw_group, draw_setting
from dlcc.past_runs.build.simulation import reference_of, simulate
from dlcc.past_runs.build.terms import moments, novelties, with_term
from dlcc.past_runs.store import FRACTIONS, TERMS, read_library
from dlcc.recipes import truth
from dlcc.recipes.train import train
from dlcc.runs import Run

STEPS = 120


@pytest.fixture(scope="module")
def runs():
    """Two groups of short trainings."""
    found = []
    for group in (0, 2):
        configs = [{**config, "steps": STEPS} for config in draw_group(3, group, 6)]
        found += simulate(configs)
    return found


def test_settings_are_functions_of_seed_and_number():
    assert draw_setting(1, 5, "ring") == draw_setting(1, 5, "ring")
    assert draw_setting(1, 5, "ring") != draw_setting(2, 5, "ring")
    for group in range(3):
        members = draw_group(9, group, 12)
        assert {m["data"] for m in members} == {DATA[group]}
        for key in SHAPE:
            assert len({m[key] for m in members}) == 1
        assert len({m["seed"] for m in members}) == 12
        assert members[:5] == draw_group(9, group, 5)


def test_a_run_has_its_figures_at_every_fraction(runs):
    for run in runs:
        assert run.windows.shape[0] == len(FRACTIONS)
        assert run.samples.shape == (truth.SAMPLE_STEPS, 8)
        assert list(run.reached) == [round(f * truth.SAMPLE_STEPS) for f in FRACTIONS]
        assert 0 <= run.stability <= 1
        assert run.curves(1).samples.shape == (8, 8)
        assert run.curves(1, series_only=True).samples is None


def test_an_ensembles_member_is_the_recorded_run_of_the_same_setting(tmp_path, runs):
    """The two ways into the library agree, but for rounding that chaos has not grown yet."""
    config = {k: v for k, v in runs[0].config.items() if k != "data"}
    train("ring", tmp_path / "run", config, overtrain=1.25)
    recorded = recorded_run(Run.open(tmp_path / "run"), reference_of("ring"))
    assert recorded.config == dict(runs[0].config)
    assert recorded.windows[0] == pytest.approx(runs[0].windows[0], rel=1e-2, abs=1e-2, nan_ok=True)
    assert recorded.samples[0] == pytest.approx(runs[0].samples[0], abs=0.05)


def test_parts_survive_being_written(tmp_path, runs):
    (tmp_path / "part.npz").write_bytes(part_of(runs))
    again = read_part(tmp_path / "part.npz")
    assert [r.label for r in again] == [r.label for r in runs]
    assert [dict(r.config) for r in again] == [dict(r.config) for r in runs]
    assert np.array_equal(again[3].windows, runs[3].windows, equal_nan=True)
    assert [p.name for p in tmp_path.iterdir()] == ["part.npz"]


def test_the_library_of_these_runs(tmp_path, runs):
    made = assemble(runs)
    assert len(made) == len(runs)
    assert list(made.stability) == [r.stability for r in runs]
    assert np.isnan(made.terms).all()
    made = with_term(made, "novelty", novelties(made))
    made = with_term(made, "logic", {2: (0.9, 0.1)})
    assert made.terms[2, TERMS.index("logic"), 0] == 0.9
    assert np.isfinite(made.terms[:, TERMS.index("novelty")]).all()
    made.save(tmp_path / "made.npz")
    assert len(read_library(tmp_path / "made.npz")) == len(runs)


def test_folds_never_part_a_setting():
    settings = ["a", "b", "a", "c", "b", "d"] * 5
    fold = folds_by_setting(settings, 3, 0)
    for name in set(settings):
        assert len({f for f, s in zip(fold, settings, strict=True) if s == name}) == 1


def test_the_next_quarter_of_every_fraction():
    good = [False] * 4 + [True] * 10 + [False] * 26 + [True] * 10
    assert next_quarters(good) == pytest.approx([1.0, 0.6, 0.0, 1.0])
    assert np.isnan(next_quarters(good[:40])[-1])


def test_moments():
    mean, sd = moments(Estimate.beta(8, 2), "logic")
    assert (mean, sd) == pytest.approx((0.8, np.sqrt(0.16 / 11)), abs=2e-3)


def test_a_run_that_diverged_at_once_has_no_figures(runs):
    lost = runs[0].windows.copy()
    lost[:, -1, :-1] = np.nan
    assert runs[0].has_figures
    assert not replace(runs[0], windows=lost).has_figures
    later = runs[0].windows.copy()
    later[1:, -1, :-1] = np.nan
    assert replace(runs[0], windows=later).has_figures
