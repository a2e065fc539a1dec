"""Fréchet distances against scipy's matrix root and the closed form of Gaussians."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import special_ortho_group

from dlcc.metrics import Moments, frechet, frechet_distance, frechet_infinity, moments
from dlcc.typing import Floats
from tests.metrics.conftest import calibration, normal


def by_sqrtm(a: Floats, b: Floats) -> float:
    cov_a, cov_b = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    shift = a.mean(0) - b.mean(0)
    return float(shift @ shift + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real))


@settings(max_examples=40, deadline=None)
@given(d=st.integers(1, 12), more=st.integers(5, 60), seed=st.integers(0, 99))
def test_against_the_matrix_root(d: int, more: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    a = normal(d + more, d, seed) @ rng.standard_normal((d, d))
    b = normal(2 * d + more, d, seed, at=1) @ rng.standard_normal((d, d)) + 1
    wanted = by_sqrtm(a, b)
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-6)
    assert frechet(a, b).value == pytest.approx(wanted, rel=1e-6)
    assert frechet_distance(moments(a), b) == pytest.approx(wanted, rel=1e-6)


def test_the_closed_form_of_gaussians_with_one_basis() -> None:
    basis = special_ortho_group.rvs(5, random_state=0)
    first, second = np.array([1, 2, 3, 4, 0.0]), np.array([4, 2, 0.5, 0, 0.1])
    a = Moments(np.zeros(5), (basis * first) @ basis.T, 0)
    b = Moments(np.full(5, 0.3), (basis * second) @ basis.T, 0)
    wanted = 5 * 0.09 + ((np.sqrt(first) - np.sqrt(second)) ** 2).sum()
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-7)
    assert frechet_distance(b, a) == pytest.approx(wanted, rel=1e-7)


def test_a_collapsed_generator() -> None:
    data = normal(200, 6, 0)
    wanted = ((data.mean(0) - 2) ** 2).sum() + np.trace(np.cov(data.T))
    found = frechet(np.full((50, 6), 2.0), data)
    assert (found.value, found.error) == (pytest.approx(wanted), 0)
    few = frechet(normal(4, 6, 1), data)  # fewer rows than features
    assert np.isfinite([few.value, few.error]).all()
    assert few.error > 0
    assert frechet(data, data, reference="draw").value == pytest.approx(0, abs=1e-9)


def test_moments_are_numpys_however_cut(small_blocks: Callable[[int], None]) -> None:
    rows = normal(37, 4, 0, 1000.0).astype(np.float32)
    small_blocks(5)
    found = moments(rows)
    np.testing.assert_allclose(found.mean, rows.mean(0, dtype=np.float64))
    np.testing.assert_allclose(found.covariance, np.cov(rows.T.astype(np.float64)), rtol=1e-9)
    assert found.rows == 37


def test_it_knows_no_place_no_direction_and_no_order() -> None:
    x, y = normal(60, 4, 0, 0.5, 1.3), normal(50, 4, 1)
    turn = special_ortho_group.rvs(4, random_state=0)
    one = frechet(x, y, reference="draw")
    other = frechet(3 * (x[::-1] @ turn) + 7, 3 * (y @ turn) + 7, reference="draw")
    assert (other.value, other.error) == pytest.approx((9 * one.value, 9 * one.error))
    assert frechet_distance(y, x) == pytest.approx(frechet_distance(x, y))


LAWS = [(0.0, 1.0), (0.2, 1.0), (0.7, 1.0), (0.0, 0.6)]


@pytest.mark.parametrize(("shift", "scale"), LAWS)
@pytest.mark.parametrize("reference", ["whole", "draw"])
def test_errors_are_the_scatter_and_the_line_takes_the_bias_off(
    shift: float, scale: float, reference: Any
) -> None:
    d, n = 5, 200
    truth = d * shift**2 + d * (1 - scale) ** 2
    target = Moments(np.zeros(d), np.eye(d), 0)
    found = [
        frechet_infinity(
            normal(n, d, s, shift, scale),
            target if reference == "whole" else normal(n, d, s, at=1),
            reference=reference,
        )
        for s in range(100)
    ]
    assert found[0].rows == (n, 0 if reference == "whole" else n)
    line, usual = calibration(found), calibration(f.biased for f in found)
    assert usual.mean - truth > 2 * usual.of_mean
    assert abs(line.mean - truth) < max(4 * line.of_mean, 0.1 * (usual.mean - truth))
    assert 0.75 < line.ratio < 1.35
    assert 0.75 < usual.ratio < 1.65


def test_the_error_is_the_derivative_by_the_rows_weights() -> None:
    x, y = normal(30, 3, 0, 0.5, 1.4), normal(40, 3, 1)
    many = 2000

    def leaning(i: int) -> float:
        """The distance, with a little more weight on row i."""
        weights = np.full(30, 1.0)
        weights[i] += 1 / many
        mean = weights @ x / weights.sum()
        covariance = (weights[:, None] * (x - mean)).T @ (x - mean) / weights.sum() * 30 / 29
        return frechet_distance(Moments(mean, covariance, 0), y)

    derivatives = [(leaning(i) - frechet_distance(x, y)) * many * 30 for i in range(30)]
    wanted = np.std(derivatives, ddof=1) / 30**0.5
    assert frechet(x, y).error == pytest.approx(wanted, rel=0.06)


def test_the_line_is_what_it_says() -> None:
    x, y = normal(60, 2, 0, 1.0), normal(60, 2, 1)
    found = frechet_infinity(x, y, parts=2, seed=4)
    order = np.random.default_rng(4).permutation(60)
    halves = np.mean([frechet_distance(x[order[k::2]], y) for k in range(2)])
    assert found.line == ((60, found.biased.value), (30, pytest.approx(halves)))
    assert found.value == pytest.approx(2 * found.biased.value - halves)
    assert found.biased == frechet(x, y)
    assert found == frechet_infinity(x, y, parts=2, seed=4)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"parts": 5}, r"generated has 30 rows of 4 features; a line over 5 cuts needs 40: draw"),
        ({"parts": 1}, "parts is 1; expected 2 to 16"),
        ({"parts": 2, "reference": "all"}, 'reference is \'all\'; expected "whole" or "draw"'),
        ({"parts": 3, "reference": "draw"}, "data has 20 rows of 4 features; .* needs 24"),
    ],
)
def test_lines_that_cannot_be_drawn(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        frechet_infinity(normal(30, 4, 0), normal(20, 4, 1), **settings)


def test_moments_that_cannot_be_used() -> None:
    with pytest.raises(ValueError, match=r"mean has the shape \[3\] .* covariance \[2, 2\]"):
        Moments(np.zeros(3), np.eye(2), 9)
    with pytest.raises(ValueError, match="the moments of 9 rows are not finite"):
        Moments(np.zeros(2), np.full((2, 2), np.nan), 9)
    with pytest.raises(ValueError, match="generated has 4 features and data 3"):
        frechet(normal(9, 4, 0), Moments(np.zeros(3), np.eye(3), 9))
    with pytest.raises(ValueError, match="a has 4 features and b 3"):
        frechet_distance(normal(9, 4, 0), normal(9, 3, 0))
    with pytest.raises(ValueError, match="data are moments, whose rows are not known; give rows"):
        frechet_infinity(normal(90, 2, 0), moments(normal(90, 2, 1)), reference="draw")
