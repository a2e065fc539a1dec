"""Distances between sets of rows against loops and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from dlcc.recipes.distances import mmd, sliced_wasserstein


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """The same random numbers in each test."""
    torch.manual_seed(0)


def test_mmd_is_that_of_loops() -> None:
    x, y, r = torch.randn(6, 2), torch.randn(4, 2), 1.7

    def kernel(a: torch.Tensor, b: torch.Tensor) -> float:
        return float(torch.exp(-(a - b).square().sum() / r))

    pairs = [kernel(x[i], x[j]) for i in range(6) for j in range(6) if i != j]
    others = [kernel(y[i], y[j]) for i in range(4) for j in range(4) if i != j]
    across = [kernel(a, b) for a in x for b in y]
    expected = np.mean(pairs) + np.mean(others) - 2 * np.mean(across)
    assert float(mmd(x, y, r)) == pytest.approx(expected, rel=1e-5)


def test_mmd_is_unbiased() -> None:
    """Of rows of one distribution it averages to 0, where the biased one averages to .17."""
    drawn = [float(mmd(torch.randn(10, 2), torch.randn(10, 2), 2.0)) for _ in range(2000)]
    assert abs(np.mean(drawn)) < 4 * np.std(drawn) / len(drawn) ** 0.5


def test_the_sliced_distance_of_a_shift() -> None:
    """W₂² along a direction is the square of the shift's part in it: half of it on average."""
    x = torch.randn(500, 2)
    shift = torch.tensor([3.0, -1.0])
    found = sliced_wasserstein(x, x + shift, slices=20_000)
    assert float(found) == pytest.approx(float(shift.square().sum()) / 2, rel=0.03)


def test_the_sliced_distance_along_a_line_is_that_of_the_best_assignment() -> None:
    """In one dimension every direction is the line itself, and W₂² is optimal transport's."""
    x, y = torch.randn(20, 1), torch.randn(20, 1) * 2 + 1
    costs = (x - y.T).square().numpy()
    expected = costs[linear_sum_assignment(costs)].mean()
    assert float(sliced_wasserstein(x, y)) == pytest.approx(expected, rel=1e-5)


def test_the_order_of_rows_does_not_matter() -> None:
    x, y = torch.randn(30, 3), torch.randn(30, 3)
    shuffled = x[torch.randperm(30)]
    assert float(mmd(shuffled, y, 1.0)) == pytest.approx(float(mmd(x, y, 1.0)), abs=1e-6)
    found = []
    for rows in (x, shuffled):
        torch.manual_seed(5)
        found.append(float(sliced_wasserstein(rows, y)))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


@pytest.mark.parametrize(
    "distance", [partial(mmd, width=2.0), partial(sliced_wasserstein, slices=2000)]
)
def test_a_step_against_the_gradient_brings_rows_nearer(
    distance: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    x, y = (torch.randn(40, 2) + 2).requires_grad_(), torch.randn(40, 2)
    before = distance(x, y)
    (slope,) = torch.autograd.grad(before, x)
    assert distance(x - slope, y).item() < before.item()
