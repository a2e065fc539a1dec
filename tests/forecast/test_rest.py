"""When a training is likely to fail, and where it is likely to be best."""

import numpy as np
import pytest

from dlcc.forecast.forecaster import Forecaster
from dlcc.forecast.forecasters import Forecasters
from dlcc.forecast.rest import (
    FEWEST_TRACED,
    PARTS,
    best_so_far,
    best_step,
    hazard,
    hazard_of,
)
from dlcc.health.judgeable import judgeable_features
from dlcc.kinds.gan import GAN
from dlcc.past_runs.courses import Courses, best_of
from dlcc.past_runs.in_use import shipped_library
from dlcc.records import Samples, Series
from dlcc.runs import Run
from tests.conftest import example


@pytest.fixture(scope="module")
def past():
    """True records that ship."""
    return shipped_library().untampered


@pytest.fixture(scope="module")
def traced(past):
    """Those with traces."""
    return past.in_features


def even(past):
    return np.full(len(past), 1 / len(past))


@pytest.mark.parametrize("seen", [0.05, 0.1, 0.3, 0.8, 0.99])
def test_hazards_lead_from_now_to_the_share_that_ends_healthy(past, seen):
    found = hazard(Courses.of(past), even(past), seen)
    assert len(found.parts) == PARTS
    assert list(found.lasting) == sorted(found.lasting, reverse=True)
    assert found.lasting[0] == pytest.approx(1 - found.failed)
    assert found.lasting[-1] == pytest.approx(np.mean(past.labels == 0))


def test_a_whole_record_has_no_rest(past, traced):
    assert hazard(Courses.of(past), even(past), 1.0) is None
    assert best_step(Courses.of(traced), even(traced), 1.0) is None


def test_hazards_of_what_has_failed_for_sure():
    assert hazard_of(np.zeros(9)).parts == (0.0,) * 8


def test_best_steps_are_shared_out(traced):
    every = np.array([best_of(trace[:40]) for trace in traced.traces])
    for seen in (0.1, 0.5):
        found = best_step(Courses.of(traced), even(traced), seen)
        assert found.behind + sum(found.parts) == pytest.approx(1)
        assert found.behind == pytest.approx(np.mean(every <= seen))
        assert found.past_runs == len(traced)


def test_without_traces_the_best_step_is_unknown(past, traced):
    others = past.as_given
    assert best_step(Courses.of(others.select(np.arange(200))), np.full(200, 1 / 200), 0.2) is None
    few = traced.select(np.arange(FEWEST_TRACED - 1))
    assert best_step(Courses.of(few), even(few), 0.2) is None


def test_forecasts_say_it_and_agree_with_themselves(past, traced):
    vector = {
        name: v
        for name, v in zip(traced.names, traced.vectors[3, 1], strict=True)
        if np.isfinite(v)
    }
    found = Forecasters(past).at(0.15, vector, {}, series_only=False)(vector, {})
    assert found.hazard.lasting[-1] == pytest.approx(found.probabilities["healthy"])
    assert 0 <= found.best.behind <= 1
    few = past.as_given.select(np.arange(0, 1800, 20))
    plain = Forecaster.fit(few, 0.15, series_only=True)({}, {})
    assert plain.best is None
    assert plain.hazard.lasting[-1] == pytest.approx(plain.probabilities["healthy"])


def test_the_best_step_so_far():
    run = Run.open(example("digits-collapsed"))
    for samples in (Samples.of(run, None), None):
        features = judgeable_features(GAN, Series.of(run, None), samples, run.length)
        step = best_so_far(features)
        assert step is None if samples is None else step in run.sample_steps()
