"""Distances and neighbours against whole matrices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from dlcc.metrics import inputs as inputs_module
from dlcc.metrics.distances import kth_distances, nearest_distances, squared_distances
from tests.metrics.conftest import normal


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(7, 40), m=st.integers(6, 40), d=st.sampled_from([1, 2, 8, 9, 17, 40]),
    k=st.integers(1, 6), seed=st.integers(0, 99), side=st.sampled_from([3, 10, 2048]),
)  # fmt: skip
def test_kth_neighbours(n: int, m: int, d: int, k: int, seed: int, side: int) -> None:
    x, y = normal(n, d, seed, 100.0), normal(m, d, seed, 100.5, at=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs_module, "BLOCK_ROWS", side)
        own, other = kth_distances(x, k), kth_distances(x, k, y)
    np.testing.assert_allclose(own, np.sort(cdist(x, x), axis=1)[:, k], rtol=1e-9)
    np.testing.assert_allclose(other, np.sort(cdist(x, y), axis=1)[:, k - 1], rtol=1e-9)


@pytest.mark.parametrize("d", [2, 20])
def test_neighbours_of_each_group(d: int, small_blocks: Callable[[int], None]) -> None:
    x, y = normal(23, d, 0), normal(31, d, 1)
    small_blocks(5)
    own, other = nearest_distances(x, 3, groups=4), nearest_distances(x, 9, y, groups=4)
    among, across = cdist(x, x), cdist(x, y)
    np.fill_diagonal(among, np.inf)
    for group in range(4):
        wanted = np.sort(among[:, group::4], axis=1)[:, :3]
        np.testing.assert_allclose(np.sort(own[:, group], axis=1), wanted, rtol=1e-9)
        wanted = np.sort(across[:, group::4], axis=1)[:, :9]
        found = np.sort(other[:, group], axis=1)
        np.testing.assert_allclose(found[:, : wanted.shape[1]], wanted, rtol=1e-9)
        assert np.isinf(found[:, wanted.shape[1] :]).all()


@pytest.mark.parametrize("d", [2, 8, 16, 17, 300])
def test_copies_are_at_distance_0(d: int) -> None:
    x = np.repeat(normal(10, d, 0, 30.0), 2, axis=0)
    assert (kth_distances(x, 1) == 0).all()
    assert (kth_distances(x, 2) > 0.01).all()
    assert (kth_distances(x, 2, x) == 0).all()


def test_products_agree_with_differences() -> None:
    a, b = normal(20, 64, 0), normal(30, 64, 1)
    b[:5] = a[:5] + 1e-5
    np.testing.assert_allclose(squared_distances(a, b), cdist(a, b) ** 2, rtol=1e-4)
    np.testing.assert_allclose(squared_distances(a, b)[5:], cdist(a[5:], b) ** 2, rtol=1e-12)
