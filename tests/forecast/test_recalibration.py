"""P(healthy) recalibrated by the user's own labelled runs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.estimate import Estimate
from dlcc.forecast.forecasters import Forecasters
from dlcc.forecast.own_runs import kept_recalibration, labelled, recalibration
from dlcc.forecast.recalibration import FEWEST_LABELLED, Recalibration
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.records import LABELS

OWN = 60


@pytest.fixture(scope="module")
def past():
    """Some small GANs on mixtures, and sixty on digits that the user has labelled: all failed."""
    every = shipped_library().untampered.as_given
    others = every.select(np.flatnonzero(every.data != "digits")[::4])
    own = every.select(np.flatnonzero(every.data == "digits")[:OWN])
    failed = np.full(OWN, LABELS.index("collapsed"))
    return others.joined(replace(own, labels=failed, judged_by=np.full(OWN, "review")))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80))
def test_the_order_of_forecasts_stays(runs):
    p, ended = map(np.array, zip(*runs, strict=True))
    found = Recalibration.fit(p.astype(float), ended)(np.linspace(0, 1, 50))
    assert (np.diff(found) >= 0).all()
    assert ((found > 0) & (found < 1)).all()


def test_true_forecasts_stay_nearly_as_they_are():
    rng = np.random.default_rng(0)
    p = rng.random(4_000)
    found = Recalibration.fit(p, rng.random(4_000) < p)
    at = np.linspace(0.05, 0.95, 10)
    assert found(at) == pytest.approx(at, abs=0.02)


def test_forecasts_that_are_too_high_come_down_and_few_runs_say_little():
    p, ended = np.full(400, 0.6), np.arange(400) % 5 == 0
    at = [float(Recalibration.fit(p[:n], ended[:n])(np.array(0.6))) for n in (5, 50, 400)]
    assert 0.6 > at[0] > at[1] > at[2] > 0.2
    assert at[2] < 0.27


def test_what_is_not_known_of_the_line_widens_intervals():
    rng = np.random.default_rng(1)
    p = rng.random(60)
    found = Recalibration.fit(p, rng.random(60) < p)
    before = Estimate.beta(30, 30)
    after = found.of_estimate(before)
    assert np.ptp(after.interval(0.9)) > np.ptp(before.interval(0.9))
    assert after.mean == pytest.approx(float(found(np.array(0.5))), abs=0.03)


def test_own_runs_move_the_forecast_and_all_that_it_says(past):
    vector = dict(zip(past.names, past.series_only_vectors[7, 1], strict=True))
    vector = {name: v for name, v in vector.items() if np.isfinite(v)}
    found = Forecasters(past).at(0.2, vector, past.configs[7], series_only=True)
    assert found.recalibration.runs == OWN
    after, before = found(vector, past.configs[7]), replace(found, recalibration=None)(vector, {})
    assert after.p_healthy.mean < before.p_healthy.mean
    assert after.probabilities["healthy"] < before.probabilities["healthy"]
    assert sum(after.probabilities.values()) == pytest.approx(1)
    assert after.stability.mean <= before.stability.mean
    assert after.hazard.lasting[-1] == pytest.approx(after.probabilities["healthy"])


def test_fifty_labelled_runs_are_needed(past):
    unlabelled = replace(past, judged_by=np.where(past.judged_by == "review", "verdict", "truth"))
    few = past.select(np.arange(len(past) - (OWN - FEWEST_LABELLED + 1)))
    for library in (unlabelled, few):
        found = Forecasters(library).at(0.2, {"margin_last": 0.1}, {}, series_only=True)
        assert found.recalibration is None


def test_own_runs_are_told_from_past_runs_without_them(past):
    own, asked_for = labelled(past, [Space(past, 1, series_only=False)]), []

    def base_rate(rest, asked):
        assert not np.isin(asked.settings, rest.settings).any()
        asked_for.extend(asked.first_rows)
        return np.full(len(asked), np.mean(rest.labels == 0))

    assert recalibration(past, own, base_rate).runs == OWN
    assert sorted(asked_for) == sorted(past.first_rows[own])


def test_own_runs_without_samples_say_nothing_about_those_with(past):
    blind = replace(
        past,
        vectors=np.where((past.judged_by == "review")[:, None, None], np.nan, past.vectors),
    )
    assert labelled(blind, [Space(blind, 1, series_only=True)]).sum() == OWN
    assert labelled(blind, [Space(blind, 1, series_only=False)]).sum() == 0


def test_it_is_fitted_once_for_the_same_past_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("DLCC_CACHE_DIR", str(tmp_path))
    past = shipped_library().select(np.arange(300))
    own = np.arange(300) < FEWEST_LABELLED
    calls = []

    def forecast(rest, asked):
        calls.append(len(rest))
        return np.full(len(asked), 0.5)

    first = kept_recalibration(past, own, "losses", forecast)
    made = len(calls)
    again = kept_recalibration(past, own, "losses", forecast)
    assert made == len(calls) > 0
    assert (again.log_slope, again.shift, again.runs) == (first.log_slope, first.shift, first.runs)
    np.testing.assert_array_equal(again.covariance, first.covariance)
    kept_recalibration(past, own, "losses and outputs", forecast)
    assert len(calls) == 2 * made
    assert kept_recalibration(past, own & False, "losses", forecast) is None
