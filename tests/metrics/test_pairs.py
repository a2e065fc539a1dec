"""The U-statistic and its error, whatever the kernel."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcc.metrics import Cubic, Distance, Gaussian, Kernel
from dlcc.metrics.pairs import discrepancy, discrepancy_over_blocks
from tests.metrics.conftest import calibration, normal

KERNELS: list[Kernel] = [Gaussian.of(3.0), Gaussian.of([1.0, 9.0]), Distance(), Cubic()]


@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from(KERNELS), n=st.integers(4, 20), m=st.integers(4, 20),
    d=st.sampled_from([1, 3, 17]), seed=st.integers(0, 99), biased=st.booleans(),
)  # fmt: skip
def test_against_loops(kernel: Kernel, n: int, m: int, d: int, seed: int, biased: bool) -> None:
    x, y = normal(n, d, seed, 5.0), normal(m, d, seed, 5.5, at=1)

    def mean(a: np.ndarray, b: np.ndarray, leave_out: bool) -> float:
        values = [
            float(kernel(a[i : i + 1], b[j : j + 1])[0, 0])
            for i in range(len(a))
            for j in range(len(b))
            if not (leave_out and i == j)
        ]
        return float(np.mean(values))

    wanted = mean(x, x, not biased) + mean(y, y, not biased) - 2 * mean(x, y, False)
    found = discrepancy(kernel, x, y, biased=biased)
    assert found.value == pytest.approx(wanted, rel=1e-8, abs=1e-8)
    assert found.rows == (n, m)
    assert found.error >= 0


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("side", [1, 7])
def test_any_cut_gives_the_same(
    kernel: Kernel, side: int, small_blocks: Callable[[int], None]
) -> None:
    x, y = normal(23, 3, 0, 0.2), normal(17, 3, 1)
    whole = discrepancy(kernel, x, y)
    small_blocks(side)
    cut = discrepancy(kernel, x, y)
    assert (cut.value, cut.error, cut.floor) == pytest.approx(
        (whole.value, whole.error, whole.floor), rel=1e-10
    )


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("n", "m", "d"), [(80, 80, 2), (50, 150, 2), (100, 100, 12)])
@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.15, 1.0), (0.6, 1.0), (0.0, 0.6)])
def test_the_error_is_the_scatter_over_100_seeds(
    kernel: Kernel, n: int, m: int, d: int, shift: float, scale: float
) -> None:
    found = [
        discrepancy(kernel, normal(n, d, s, shift, scale), normal(m, d, s, at=1))
        for s in range(100)
    ]
    seen = calibration(found)
    # 100 seeds know the scatter to 7 %, of heavy tails less; where the laws are equal the part of
    # first order is cut off at 0
    assert 0.75 < seen.ratio < (1.6 if shift < 0.5 and scale == 1 else 1.35)
    if shift == 0 and scale == 1:
        assert abs(seen.mean) < 4 * seen.of_mean
        floor = float(np.sqrt(np.mean([each.floor**2 for each in found])))
        assert floor == pytest.approx(seen.of_mean * 10, rel=0.3)


def test_blocks_are_disjoint_and_know_their_scatter() -> None:
    kernel = Gaussian.of(3.0)
    found = [
        discrepancy_over_blocks(kernel, normal(205, 2, s, 0.5), normal(230, 2, s, at=1), 20, s)
        for s in range(100)
    ]
    assert found[0].rows == (200, 200)
    assert "10 disjoint blocks of 20 rows" in found[0].method
    assert 0.8 < calibration(found).ratio < 1.25


def test_never_all_pairs_at_once() -> None:
    x, y = (normal(6000, 20, s).astype(np.float32) for s in range(2))
    tracemalloc.start()
    discrepancy(Distance(), x, y)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 150e6  # all pairs are 288 MB
