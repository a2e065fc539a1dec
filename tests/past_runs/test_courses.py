"""Until when past runs were good, and where their samples were best."""

import numpy as np
import pytest

from dlcc.health.definitions import smooth
from dlcc.past_runs.courses import Courses, best_of, still_good
from dlcc.past_runs.in_use import shipped_library
from dlcc.recipes.truth import GOOD_COVERAGE, GOOD_FRECHET, GOOD_QUALITY


@pytest.fixture(scope="module")
def past():
    """True records that ship."""
    return shipped_library().untampered


@pytest.fixture(scope="module")
def traced(past):
    """Those with traces."""
    return past.in_features


def test_what_quarters_and_halves_tell_is_what_traces_tell(traced):
    told = still_good(traced)
    for run, trace in enumerate(traced.traces):
        coverage, quality = smooth(trace[:, 0]), smooth(trace[:, 1])
        distance = smooth(np.where(np.isfinite(trace[:, 2]), trace[:, 2], np.inf))
        data, healthy = str(traced.data[run]), traced.label_of(run) == "healthy"
        if data not in GOOD_FRECHET:
            continue
        good = (coverage >= GOOD_COVERAGE) & (quality >= GOOD_QUALITY[data])
        good = (good & (distance <= GOOD_FRECHET[data]))[:40]
        # at the very end smoothing may or may not have seen what came after the length
        for start, known in zip((4, 8, 20), told[run, :3], strict=True):
            assert known in (good[start:].any() or healthy, good[start:-1].any() or healthy)
        assert told[run, 4] == healthy


def test_who_has_failed_does_not_recover(past):
    assert (np.diff(still_good(past), axis=1) <= 0).all()


def test_the_best_step_is_told_by_distance_and_else_by_coverage_and_quality():
    trace = np.full((40, 3), 0.5)
    trace[9:12, :2], trace[29:32, 2] = 0.9, 0.1
    assert best_of(trace) == 31 / 40
    trace[:, 2] = np.nan
    assert best_of(trace) == 11 / 40


def test_runs_without_traces_have_no_best_step(past, traced):
    assert np.isnan(Courses.of(past.as_given.select(np.arange(9))).best).all()
    best = Courses.of(traced).best
    assert ((best > 0) & (best <= 1)).all()
