"""The features of a record, and of a training that went on from another one."""

import numpy as np
import pytest

from dlcc.health.curves import IN_FEATURES
from dlcc.health.judgeable import NotJudgeableError, judgeable_features
from dlcc.health.run_features import FEWEST_ROWS, is_still, run_features
from dlcc.health.windows import first_step, window_edges, window_features
from dlcc.kinds.gan import GAN
from dlcc.past_runs.in_use import shipped_library
from dlcc.records import Column, Samples, Series
from dlcc.runs import Run


def series(first, last):
    steps = np.arange(first, last)
    rng = np.random.default_rng(0)
    names = ("generator/loss", "discriminator/loss", "generator/grad_norm")
    return Series({n: Column(steps, rng.random(len(steps)), np.zeros(0)) for n in names})


def test_too_few_rows_are_refused():
    with pytest.raises(NotJudgeableError, match="19 rows are too few"):
        judgeable_features(GAN, series(0, FEWEST_ROWS - 1), None, 100)


@pytest.mark.parametrize("noise", [0.0, 1e-12])
@pytest.mark.parametrize("value", [0.0, 1.2, -3e4])
def test_a_record_in_which_nothing_but_rounding_changes_is_still(value, noise):
    steps, rng = np.arange(100), np.random.default_rng(0)
    names = ("generator/loss", "discriminator/loss", "discriminator/real", "discriminator/fake")
    still = {n: Column(steps, value + noise * rng.random(100), np.zeros(0)) for n in names}
    other = {"generator/learning_rate": series(0, 100).columns["generator/loss"]}
    assert is_still(Series(still | other))
    late = np.where(steps < 99, value, value + 1)
    for values in (late, np.where(steps < 99, value, np.nan), rng.random(100)):
        for name in names[:2]:
            columns = still | {name: Column(steps, values, np.zeros(0))}
            assert not is_still(Series(columns))


def test_sparse_rows_that_alternate_are_not_still():
    steps = np.arange(0, 4_000, 10)
    columns = {
        name: Column(steps, np.tile([1.0, 2.0], 200), np.zeros(0))
        for name in ("generator/loss", "discriminator/loss")
    }
    assert not is_still(Series(columns))


def test_with_samples_or_without_anything_a_record_is_not_still(small_run):
    run = Run.open(small_run)
    flat = {"generator/loss": Column(np.arange(200), np.ones(200), np.zeros(0))}
    found = judgeable_features(GAN, Series(flat), Samples.of(run, None), 200)
    assert not found.series_only
    rate = {"generator/learning_rate": Column(np.arange(200), np.ones(200), np.zeros(0))}
    assert not is_still(Series(rate))


def test_a_training_that_went_on_is_looked_at_from_where_it_began():
    later = series(600, 1000)
    assert first_step(later, 1000) == 600
    assert first_step(series(0, 1000), 1000) == first_step(series(3, 1000), 1000) == 0
    found = run_features(later, None, 1000)
    assert (found.edges[0], found.edges[-1], found.recorded, found.seen) == (600, 1000, 1000, 1.0)
    assert np.isfinite(window_features(later, 1000)[:, :6]).all()
    assert (np.diff(window_edges(1000, 600)) > 0).all()


def test_with_samples_and_without(small_run):
    run = Run.open(small_run)
    whole = Series.of(run, None)
    with_samples = run_features(whole, Samples.of(run, None), run.length)
    series_only = run_features(whole, None, run.length)
    assert (with_samples.series_only, series_only.series_only) == (False, True)
    good = shipped_library().good
    assert len(with_samples.good(good)) == len(with_samples.steps) == len(run.sample_steps())
    assert len(series_only.good(good)) == len(series_only.steps)
    figures = {*with_samples.vector(good)}
    assert figures == {*shipped_library().names} - {*IN_FEATURES}


def test_half_of_a_record_has_half_been_seen(small_run):
    run = Run.open(small_run)
    half = run.length // 2
    found = run_features(Series.of(run, half), Samples.of(run, half), run.length)
    assert found.seen == pytest.approx(0.5)
    assert found.steps.max() <= half
