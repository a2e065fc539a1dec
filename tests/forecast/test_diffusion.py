"""Diffusion curves, held against curves of known parameters."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.forecast.diffusion import FEWEST_POINTS, bass, fit_diffusion, logistic

T = np.linspace(0.05, 0.5, 20)


def test_bass_solves_its_differential_equation():
    """dF/dt = (p + q·F/m)·(m − F) (Bass 1969, eq. 4)."""
    t = np.linspace(0, 2, 2001)
    m, p, q = 0.8, 0.5, 6.0
    f = bass(t, m, p, q)
    assert f[0] == pytest.approx(0, abs=1e-12)
    slope = np.gradient(f, t, edge_order=2)
    assert slope == pytest.approx((p + q * f / m) * (m - f), abs=1e-4)


def test_logistic_is_half_its_ceiling_in_the_middle():
    assert logistic(np.array([0.3]), 0.8, 20.0, 0.3)[0] == pytest.approx(0.4)


@pytest.mark.parametrize(
    "curve", [bass(T, 0.9, 0.6, 12.0), logistic(T, 0.85, 25.0, 0.2)], ids=["bass", "logistic"]
)
def test_a_clean_curve_is_found_again_and_carried_on(curve):
    found = fit_diffusion(T, curve, 0.75)
    assert found.fitted == pytest.approx(curve, abs=5e-3)
    assert found.expected == pytest.approx(curve[-1], abs=0.1)
    low, high = found.interval
    assert low <= found.expected <= high


def test_the_kind_of_a_clear_curve_is_told():
    late = logistic(T, 0.9, 60.0, 0.3)  # no start at 0 with innovation looks like this
    assert fit_diffusion(T, late, 0.75).curve == "logistic"


@settings(max_examples=15, deadline=None)
@given(st.floats(0.3, 1.0), st.floats(5, 60), st.floats(0.05, 0.3), st.integers(0, 10_000))
def test_the_interval_holds_the_end_of_noisy_curves(ceiling, rate, middle, seed):
    """Not every time: noise is noise; but the curve stays in [0, 1] and its interval around it."""
    rng = np.random.default_rng(seed)
    noisy = np.clip(logistic(T, ceiling, rate, middle) + 0.03 * rng.standard_normal(20), 0, 1)
    found = fit_diffusion(T, noisy, 0.75)
    low, high = found.interval
    assert 0 <= low <= found.expected <= high <= 1


def test_coverage_of_the_interval():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(30):
        ceiling, rate, middle = rng.uniform(0.4, 1), rng.uniform(10, 40), rng.uniform(0.1, 0.25)
        noisy = np.clip(logistic(T, ceiling, rate, middle) + 0.02 * rng.standard_normal(20), 0, 1)
        end = logistic(np.array([0.75]), ceiling, rate, middle)[0] + 0.02 * rng.standard_normal()
        low, high = fit_diffusion(T, noisy, 0.75).interval
        hits += low - 0.01 <= end <= high + 0.01
    assert hits >= 23


def test_too_few_points_or_none_at_all():
    few = FEWEST_POINTS - 1
    assert fit_diffusion(T[:few], np.ones(few), 1.0) is None
    assert fit_diffusion(T, np.full(20, np.nan), 1.0) is None


def test_of_a_flat_curve_nothing_is_certain():
    found = fit_diffusion(T, np.zeros(20), 1.0)
    assert found is None or found.interval[0] == pytest.approx(0, abs=0.02)
