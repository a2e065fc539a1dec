"""Forecasters of a library: which past runs count for a run, and how much."""

import numpy as np
import pytest

from dlcc.estimate import Estimate
from dlcc.forecast.attribution import what_moved
from dlcc.forecast.forecasters import Forecasters, configured_space, pooled_shares
from dlcc.forecast.pooled import PooledForecaster, mixture
from dlcc.health.curves import IN_FEATURES
from dlcc.past_runs import shipped_library
from dlcc.past_runs.patterns import CONFIGURED
from dlcc.past_runs.similarity import Space


@pytest.fixture(scope="module")
def past():
    return shipped_library()


@pytest.fixture
def nothing_grows(monkeypatch):
    monkeypatch.setattr("sklearn.ensemble.ExtraTreesRegressor", None)  # who grows needs it
    monkeypatch.setattr("dlcc.cache.find", lambda *of: None)


def of_images(past, look):
    """Feature vector and configuration of the first past run on images."""
    alike = past.untampered.in_features
    named = zip(alike.names, alike.vectors[0, look], strict=True)
    return {name: value for name, value in named if np.isfinite(value)}, alike.configs[0]


@pytest.mark.parametrize(("look", "seen", "parts"), [(0, 0.1, 3), (1, 0.2, 3), (2, 0.5, 2)])
def test_images_are_forecast_by_all_sorts_of_past_runs(past, look, seen, parts, nothing_grows):
    vector, config = of_images(past, look)
    forecaster = Forecasters(past).at(seen, vector, config, series_only=False)
    assert isinstance(forecaster, PooledForecaster)
    assert len(forecaster.parts) == parts
    assert sum(forecaster.shares) == pytest.approx(1)
    found = forecaster(vector, config)
    alone = [part(vector, config).p_healthy.mean for part in forecaster.parts]
    assert found.p_healthy.mean == pytest.approx(np.dot(forecaster.shares, alone), abs=0.01)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    low, high = found.p_healthy.interval(0.9)
    assert low < found.p_healthy.mean < high
    assert found.hazard is not None
    assert {m.feature for m in what_moved(forecaster, vector, config, most=99)} == {*IN_FEATURES}


def test_runs_whose_samples_are_compared_otherwise_are_not_pooled(past):
    vector, config = of_images(past, 1)
    without = {name: value for name, value in vector.items() if name not in IN_FEATURES}
    found = Forecasters(past).at(0.2, without, config, series_only=False)
    assert not isinstance(found, PooledForecaster)


@pytest.mark.parametrize(
    "other",
    [{"lr_d": None}, {"lr_g": 1e9}, {"loss": "of my own"}, {"loss": None}, {"optimizer": "lion"}],
)
def test_a_configuration_unlike_past_ones_is_not_heard(past, other):
    vector, config = of_images(past, 0)
    assert configured_space(past, 0, config) is not None
    assert configured_space(past, 0, {**config, **other}) is None
    found = Forecasters(past).at(0.1, vector, {**config, **other}, series_only=False)
    assert found.shares == (0.5, 0.5)


def test_the_configuration_tells_the_less_the_more_was_seen(past):
    near, general, told = (Space(past, 0, series_only=True, only=CONFIGURED[:k]) for k in (1, 2, 3))
    shares = []
    for seen in np.linspace(0, 1, 21):
        shared = pooled_shares(near, general, told, seen)
        assert sum(share for _, share in shared) == pytest.approx(1)
        assert shared[0] == (near, 0.5)
        shares.append(sum(share for space, share in shared if space is told))
    assert shares[0] == 0.5
    assert shares[10:] == [0] * 11
    assert (np.diff(shares[:11]) < 0).all()


def test_a_mixture_has_the_mean_and_the_extent_of_its_parts():
    parts = [Estimate.beta(2, 18), Estimate.beta(40, 10), Estimate.exactly(0.5)]
    shares = (0.5, 0.3, 0.2)
    found = mixture(parts, shares)
    assert found.mean == pytest.approx(0.05 + 0.24 + 0.1, abs=0.003)
    assert found.quantile(0.01) < 0.1
    assert found.quantile(0.99) > 0.85
