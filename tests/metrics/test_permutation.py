"""The permutation test against permutations one after the other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from dlcc.metrics import Cubic, Distance, Gaussian, Kernel, energy_distance, permutation_test
from dlcc.metrics.pairs import discrepancy
from tests.metrics.conftest import normal


@pytest.mark.parametrize("kernel", [Gaussian.of(2.0), Distance(), Cubic()])
def test_against_one_after_the_other(kernel: Kernel, small_blocks: Callable[[int], None]) -> None:
    x, y = normal(11, 3, 0, 0.5), normal(15, 3, 1)
    small_blocks(4)
    found = permutation_test(x, y, kernel, permutations=30, seed=5)
    rng = np.random.default_rng(5)
    pooled = np.concatenate([x, y])
    values = []
    for _ in range(30):
        taken = np.zeros(26, dtype=bool)
        taken[rng.permutation(26)[:11]] = True
        values.append(discrepancy(kernel, pooled[taken], pooled[~taken]).value)
    value = discrepancy(kernel, x, y).value
    assert found.value == pytest.approx(value)
    assert (found.mean, found.sd) == pytest.approx((np.mean(values), np.std(values, ddof=1)))
    assert found.upper == pytest.approx(np.quantile(values, 0.95))
    assert found.p_value == (1 + sum(v >= value for v in values)) / 31


def test_p_is_even_among_equal_laws_and_small_among_others() -> None:
    equal = [
        permutation_test(normal(20, 2, s), normal(30, 2, s, at=1), permutations=39, seed=s).p_value
        for s in range(200)
    ]
    for level in (0.1, 0.5, 0.9):
        assert np.mean(np.array(equal) <= level) == pytest.approx(level, abs=0.11)
    assert permutation_test(normal(50, 2, 0, 1.0), normal(50, 2, 1)).p_value == 1 / 500


def test_its_scatter_is_the_floor_of_the_closed_form() -> None:
    x, y = normal(400, 2, 0), normal(300, 2, 1)
    found = permutation_test(x, y)
    assert found.sd == pytest.approx(energy_distance(x, y).floor, rel=0.15)
    assert abs(found.mean) < 4 * found.sd / 499**0.5


def test_too_few_permutations() -> None:
    with pytest.raises(ValueError, match="permutations is 5; expected 19 or more"):
        permutation_test(normal(9, 2, 0), normal(9, 2, 1), permutations=5)
