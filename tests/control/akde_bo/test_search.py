"""The search: within its trust region from the first question on, and as scikit-learn computes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from dlcc.control.akde_bo.acquisition import expected_improvement, upper_confidence_bound
from dlcc.control.akde_bo.search import Search
from dlcc.control.akde_bo.surrogates import GaussianProcess, make_surrogate
from dlcc.control.akde_bo.trust_region import NARROWEST, WIDEST, TrustRegion
from dlcc.errors import OptionError
from dlcc.typing import Floats

LEARNT = ("gp", "forest", "mlp")


def region(d: int = 2, at: float = 0.0) -> TrustRegion:
    return TrustRegion(np.full(d, at), np.full(d, -2.0), np.full(d, 2.0))


def hill(point: Floats) -> float:
    """Best at 1 in every direction."""
    return -float(((point - 1) ** 2).sum())


@pytest.mark.parametrize("surrogate", [*LEARNT, "prior", "random-walk"])
def test_before_the_first_tell_it_stays_where_it_stands(surrogate: str) -> None:
    search = Search(region(at=0.3), surrogate=surrogate)
    assert search.ask().tolist() == [0.3, 0.3]
    outside = Search(region(at=5.0), surrogate=surrogate)
    assert outside.ask().tolist() == [2.0, 2.0]


@pytest.mark.parametrize("surrogate", [*LEARNT, "random-walk"])
@pytest.mark.parametrize("acquisition", ["ucb", "ei"])
def test_every_point_lies_in_the_trust_region_and_the_bounds(
    surrogate: str, acquisition: str
) -> None:
    search = Search(region(at=1.7), surrogate=surrogate, acquisition=acquisition)
    for k in range(4):
        low, high = search.region.box()
        point = search.ask()
        assert (low <= point).all()
        assert (point <= high).all()
        assert (np.abs(point) <= 2).all()
        search.tell(point, hill(point) + 0.1 * k)


@pytest.mark.parametrize("surrogate", LEARNT)
def test_it_climbs_a_hill(surrogate: str) -> None:
    search = Search(region(at=-1.0), surrogate=surrogate)
    for _ in range(14):
        point = search.ask()
        search.tell(point, hill(point))
    least = -7.9 if surrogate == "forest" else -2  # of −8 where it began; leaves see no slope
    assert hill(search.best()) > least


def test_the_process_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    x, y, at = rng.normal(size=(9, 3)), rng.normal(size=9), rng.normal(size=(5, 3))
    ours = GaussianProcess(length=0.7, noise=0.2)
    ours.fit(x, y)
    theirs = GaussianProcessRegressor(RBF(0.7), alpha=0.04, optimizer=None, normalize_y=True)
    expected = theirs.fit(x, y).predict(at, return_std=True)
    for mine, other in zip(ours.predict(at), expected, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_the_process_is_the_textbooks() -> None:
    """Rasmussen and Williams 2006, eq. 2.23 and 2.24, with y centred and scaled."""
    rng = np.random.default_rng(1)
    x, y, at = rng.normal(size=(6, 2)), rng.normal(size=6), rng.normal(size=(3, 2))
    model = GaussianProcess(length=0.5, noise=0.15)
    model.fit(x, y)

    def kernel(a: Floats, b: Floats) -> Floats:
        return np.exp(-((a[:, None] - b[None]) ** 2).sum(axis=2) / 2 / 0.25)

    inverse = np.linalg.inv(kernel(x, x) + 0.15**2 * np.eye(6))
    mean = kernel(at, x) @ inverse @ (y - y.mean())
    variance = 1 - np.einsum("ij,jk,ik->i", kernel(at, x), inverse, kernel(at, x))
    found, deviation = model.predict(at)
    assert np.allclose(found, y.mean() + mean)
    assert np.allclose(deviation, y.std() * np.sqrt(variance))


@settings(max_examples=30, deadline=None)
@given(st.floats(-2, 2), st.floats(0.05, 2), st.floats(-2, 2))
def test_expected_improvement_is_the_integral(mean: float, sd: float, best: float) -> None:
    expected, _ = integrate.quad(
        lambda y: (y - best) * stats.norm.pdf(y, mean, sd), best, mean + 12 * sd + 10
    )
    found = expected_improvement(np.array([mean]), np.array([sd]), best)[0]
    assert found == pytest.approx(max(expected, 0), abs=1e-6)


def test_the_upper_bound_lies_kappa_deviations_above() -> None:
    assert upper_confidence_bound(np.array([1.0]), np.array([2.0]), 1.5).tolist() == [4.0]


def test_a_region_widens_and_narrows_within_limits() -> None:
    box = region()
    for _ in range(20):
        box.adapt(better=True)
    assert box.width == WIDEST
    for _ in range(20):
        box.adapt(better=False)
    assert box.width == NARROWEST


@pytest.mark.parametrize("surrogate", ["gp", "random-walk"])
def test_its_state_goes_on_to_the_bit(surrogate: str) -> None:
    first, second = Search(region(), surrogate=surrogate), Search(region(), surrogate=surrogate)
    for _ in range(4):
        point = first.ask()
        first.tell(point, hill(point))
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for _ in range(3):
        point = first.ask()
        assert point.tolist() == second.ask().tolist()
        first.tell(point, hill(point))
        second.tell(point, hill(point))


def test_what_a_prior_calls_sensible_is_left_for_a_gain_alone() -> None:
    """Flat values promise nothing, so it stays; a slope that promises more moves it."""

    def flat(points: Floats) -> Floats:
        return np.zeros(len(points))

    search = Search(region(d=1), prior=flat, least_gain=0.5)
    for x in (0.0, 0.2, -0.2):
        search.tell(np.array([x]), 0.0)
    assert search.ask().tolist() == search.region.centre.tolist()
    eager = Search(region(d=1), prior=flat, least_gain=0.5)
    for x in (-0.4, 0.0, 0.4):
        eager.tell(np.array([x]), 10 * x)
    assert eager.ask()[0] > 0.3


def test_names_that_are_none_are_refused_with_a_near_one() -> None:
    with pytest.raises(OptionError, match=r"'forrest' \(did you mean forest\?\)"):
        make_surrogate("forrest")
    with pytest.raises(OptionError, match=r"'uci' .*choose ucb or ei"):
        Search(region(), acquisition="uci")
