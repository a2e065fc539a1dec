"""Precision, recall, density and coverage against their authors' formulas, written out."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import special_ortho_group

from dlcc.metrics import density_coverage, precision_recall
from dlcc.typing import Floats
from tests.metrics.conftest import calibration, normal


def distance(a: Floats, b: Floats) -> float:
    return float(np.sqrt(((a - b) ** 2).sum()))


def kth(rows: Floats, i: int, k: int) -> float:
    """Distance of row i to its k-th nearest fellow."""
    return sorted(distance(rows[i], other) for j, other in enumerate(rows) if j != i)[k - 1]


def written_out(x: Floats, y: Floats, k: int) -> tuple[float, float, float, float]:
    """Kynkäänniemi et al. 2019, eq. 1 and 2; Naeem et al. 2020, eq. 3 and 4."""
    of_x = [kth(x, i, k) for i in range(len(x))]
    of_y = [kth(y, j, k) for j in range(len(y))]
    precision = sum(any(distance(a, b) <= r for b, r in zip(y, of_y, strict=True)) for a in x)
    recall = sum(any(distance(a, b) <= r for a, r in zip(x, of_x, strict=True)) for b in y)
    density = sum(distance(a, b) < r for a in x for b, r in zip(y, of_y, strict=True))
    coverage = sum(any(distance(a, b) < r for a in x) for b, r in zip(y, of_y, strict=True))
    n, m = len(x), len(y)
    return precision / n, recall / m, density / (k * n), coverage / m


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(6, 20), m=st.integers(6, 20), d=st.sampled_from([1, 3, 20]),
    k=st.integers(1, 5), seed=st.integers(0, 99), shift=st.sampled_from([0.0, 0.7]),
)  # fmt: skip
def test_against_the_formulas(n: int, m: int, d: int, k: int, seed: int, shift: float) -> None:
    x, y = normal(n, d, seed, shift), normal(m, d, seed, at=1)
    manifold, filled = precision_recall(x, y, k=k), density_coverage(x, y, k=k)
    found = (
        manifold.precision.value, manifold.recall.value,
        filled.density.value, filled.coverage.value,
    )  # fmt: skip
    assert found == pytest.approx(written_out(x, y, k))


@pytest.mark.parametrize("d", [3, 40])
def test_a_copy_of_the_data_is_perfect(d: int) -> None:
    """On the surface of a ball is inside for precision, outside for density, as the authors have
    it; whichever way distances are rounded."""
    y = normal(60, d, 0, 100.0)
    manifold, filled = precision_recall(y[::-1], y), density_coverage(y[::-1], y)
    assert (manifold.precision.value, manifold.recall.value) == (1, 1)
    assert (filled.density.value, filled.coverage.value) == (1, 1)


@pytest.mark.parametrize("side", [1, 7])
def test_any_cut_gives_the_same(side: int, small_blocks: Callable[[int], None]) -> None:
    x, y = normal(43, 10, 0, 0.6), normal(37, 10, 1)
    whole = precision_recall(x, y), density_coverage(x, y)
    small_blocks(side)
    assert (precision_recall(x, y), density_coverage(x, y)) == whole


def test_they_know_no_place_no_direction_no_scale_and_no_order() -> None:
    x, y = normal(60, 4, 0, 0.5, 1.3), normal(50, 4, 1)
    turn = special_ortho_group.rvs(4, random_state=0)
    moved = 3 * (x[::-1] @ turn) + 7, 3 * (y @ turn) + 7
    one, other = precision_recall(x, y), precision_recall(*moved)
    assert other.precision.value == one.precision.value
    assert (other.recall.value, other.recall.error) == pytest.approx(
        (one.recall.value, one.recall.error)
    )
    density = density_coverage(x, y).density.value
    assert density_coverage(*moved).density.value == pytest.approx(density)


def test_quality_and_diversity_are_told_apart() -> None:
    data = normal(300, 2, 0)
    narrow, wide = normal(300, 2, 1, scale=0.2), normal(300, 2, 1, scale=4.0)
    of_narrow, of_wide = precision_recall(narrow, data), precision_recall(wide, data)
    assert of_narrow.precision.value > 0.98
    assert of_narrow.recall.value < 0.3
    assert of_wide.precision.value < 0.5
    assert of_wide.recall.value > 0.8


@pytest.mark.parametrize(("n", "m", "k"), [(100, 100, 5), (40, 120, 3)])
def test_equal_laws_have_density_1_and_the_expected_coverage(n: int, m: int, k: int) -> None:
    found = [density_coverage(normal(n, 2, s), normal(m, 2, s, at=1), k=k) for s in range(100)]
    expected = 1 - comb(m - 1, k) / comb(n + m - 1, k)
    assert found[0].expected_coverage == pytest.approx(expected)
    density, coverage = (calibration(f.density for f in found),
                         calibration(f.coverage for f in found))  # fmt: skip
    assert abs(density.mean - 1) < 4 * density.of_mean
    assert abs(coverage.mean - expected) < 4 * coverage.of_mean


@pytest.mark.parametrize("d", [2, 10])
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.5, 1.0), (0.0, 0.6)])
def test_errors_are_rather_too_large_than_too_small(d: int, shift: float, scale: float) -> None:
    sets = [(normal(150, d, s, shift, scale), normal(150, d, s, at=1)) for s in range(100)]
    manifold = [precision_recall(*pair) for pair in sets]
    filled = [density_coverage(*pair) for pair in sets]
    for found in (
        [f.precision for f in manifold], [f.recall for f in manifold],
        [f.coverage for f in filled],
    ):  # fmt: skip
        assert 1 < calibration(found).ratio < 3
    assert 0.7 < calibration(f.density for f in filled).ratio < 2


def test_too_few_rows() -> None:
    with pytest.raises(ValueError, match="k is 5 with 9 rows of generated and 5 of data; expected"):
        density_coverage(normal(9, 2, 0), normal(5, 2, 1), k=5)


def test_never_all_pairs_at_once() -> None:
    x, y = (normal(6000, 20, s).astype(np.float32) for s in range(2))
    tracemalloc.start()
    precision_recall(x, y)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 200e6  # all pairs are 288 MB, three times
