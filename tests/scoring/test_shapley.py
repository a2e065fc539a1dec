"""Shapley values against all orders of the terms, and the evidence of a library made for it."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.health.logistic import fit_logistic
from dlcc.scoring.shapley import (
    FOLDS,
    concentration,
    evidence,
    log_likelihoods,
    positive_shares,
    shapley_values,
)
from tests.scoring.past import untested, verified, with_terms


def by_permutations(value, n):
    gains = np.zeros(n)
    orders = list(itertools.permutations(range(n)))
    for order in orders:
        for k, player in enumerate(order):
            gains[player] += value(frozenset(order[: k + 1])) - value(frozenset(order[:k]))
    return gains / len(orders)


@given(st.integers(1, 5), st.integers(0, 10_000))
@settings(max_examples=40)
def test_values_are_the_mean_gain_over_all_orders(n, seed):
    rng = np.random.default_rng(seed)
    table = {
        frozenset(chosen): float(rng.normal())
        for size in range(n + 1)
        for chosen in itertools.combinations(range(n), size)
    }
    values = shapley_values(lambda s: np.array(table[s]), n)
    assert values == pytest.approx(by_permutations(table.__getitem__, n))
    whole = table[frozenset(range(n))] - table[frozenset()]
    assert values.sum() == pytest.approx(whole, abs=1e-12)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each term tells of past runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLCC_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        return evidence(verified())


def test_what_all_terms_tell_is_shared_out(found):
    assert sum(found.values) == pytest.approx(found.total, abs=1e-12)
    assert found.shares.sum() == pytest.approx(1)
    assert found.rows == found.settings == 300


def test_terms_that_tell_have_the_values(found):
    logic, novelty, impact, reproducibility = found.values
    assert impact > reproducibility > novelty
    assert logic > 0.02
    assert abs(novelty) < 0.02
    assert found.shares[1] == pytest.approx(max(novelty, 0) / sum(max(v, 0) for v in found.values))
    for low, value, high in zip(found.low, found.values, found.high, strict=True):
        assert low < value < high


def test_it_is_kept_and_the_same_again(found):
    assert evidence(verified()) == found == evidence(verified())


def test_doctored_rows_are_what_logic_tells_about():
    past = verified()
    honest = evidence(with_terms(past, logic=0.99))
    assert honest.values[0] == pytest.approx(0, abs=0.02)
    assert evidence(past).values[0] > honest.values[0]


def test_too_little_to_go_by():
    assert evidence(untested()) is None
    past = verified()
    assert evidence(past.select(np.arange(30))) is None
    assert evidence(replace(past, labels=np.ones(len(past), dtype=np.int64))) is None


def test_runs_of_a_setting_are_held_out_together():
    """Ten settings whose label the features give away: nothing is gained on other settings."""
    rng = np.random.default_rng(0)
    setting = np.repeat(np.arange(40), 5)
    target = (rng.random(40) < 0.5).astype(np.int64)[setting]
    names = rng.normal(size=40)[setting][:, None]
    gains = log_likelihoods(names, target, setting)
    assert gains[frozenset({0})].mean() < gains[frozenset()].mean() + 0.02


def test_held_out_likelihood_is_that_of_the_other_folds():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(100, 2))
    y = (x[:, 0] + rng.normal(size=100) > 0).astype(np.int64)
    gains = log_likelihoods(x, y, np.arange(100))
    fold = np.random.default_rng(0).permutation(100) % FOLDS
    rest = fit_logistic(x[fold != 2][:, :1], y[fold != 2], 2)
    p = rest.probabilities(x[fold == 2][:, :1])[:, 1]
    expected = np.where(y[fold == 2] == 1, np.log(p), np.log(1 - p))
    assert gains[frozenset({0})][fold == 2] == pytest.approx(expected)


@given(st.floats(3, 60))
@settings(max_examples=10)
def test_the_concentration_of_a_dirichlet_is_found(strength):
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(strength * np.array([0.5, 0.3, 0.2]), 20_000)
    assert concentration(shares) == pytest.approx(strength, rel=0.06)


def test_negative_values_have_no_share():
    assert positive_shares(np.array([0.3, -0.2, 0.1])) == pytest.approx([0.75, 0, 0.25])
    assert not positive_shares(np.array([-0.3, -0.2])).any()
