"""Directions against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from dlcc.landscape import (
    filter_normalised,
    gradient_direction,
    random_direction,
    slice_1d,
    slice_2d,
    trajectory_directions,
)

DOUBLE = torch.float64
W = torch.ones(2, 2)


def test_random_directions_are_those_of_the_seed() -> None:
    params = [torch.zeros(3, 4), torch.zeros(5, dtype=DOUBLE)]
    a, b, c = (random_direction(params, seed) for seed in (1, 1, 2))
    assert [d.dtype for d in a] == [torch.float32, DOUBLE]
    assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
    assert not torch.equal(a[0], c[0])


def test_the_gradient_is_where_the_loss_rises() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    batch = torch.randn(7, 3, dtype=DOUBLE)
    params = list(model.parameters())

    def loss() -> Tensor:
        return F.softplus(-model(batch)).mean()

    gradients = gradient_direction(loss, params)
    length = sum(float(s.square().sum()) for s in gradients)
    found = slice_1d(loss, params, gradients, [-1e-5, 0, 1e-5])
    rise = (found.losses[2] - found.losses[0]) / 2e-5
    assert rise == pytest.approx(length, rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(1, 4), min_size=2, max_size=5),
    seed=st.integers(0, 99),
    groups=st.none() | st.integers(1, 3),
)
def test_filters_take_the_norms_of_the_parameters(
    shape: list[int], seed: int, groups: int | None
) -> None:
    torch.manual_seed(seed)
    model: nn.Module | None = None
    if groups is not None:
        model = nn.ConvTranspose2d(groups * 2, groups * 3, 2, groups=groups, bias=False)
        p = next(model.parameters())
        rows = p.detach().view(groups, 2, 3, 2, 2).transpose(1, 2).reshape(groups * 3, -1)
    else:
        p = nn.Parameter(torch.randn(shape))
        rows = p.detach().flatten(1)
    direction = random_direction([p], seed)
    (found,) = filter_normalised(direction, [p], model=model)
    if groups is None:
        own, drawn = found.flatten(1), direction[0].flatten(1)
    else:
        own, drawn = (
            d.view(groups, 2, 3, 2, 2).transpose(1, 2).reshape(groups * 3, -1)
            for d in (found, direction[0])
        )
    expected = drawn / drawn.norm(dim=1, keepdim=True) * rows.norm(dim=1, keepdim=True)
    torch.testing.assert_close(own, expected)


def test_vectors_and_empty_filters() -> None:
    params = [
        torch.tensor([[3.0, 4.0], [0.0, 0.0], [1.0, 0.0]]),
        torch.tensor([3.0, 4.0]),
        torch.tensor(-2.0),
    ]
    direction = [
        torch.tensor([[0.0, 2.0], [1.0, 1.0], [0.0, 0.0]]),
        torch.tensor([1.0, 0.0]),
        torch.tensor(7.0),
    ]
    weights, bias, scale = filter_normalised(direction, params)
    assert weights.tolist() == [[0, 5], [0, 0], [0, 0]]
    assert (bias.tolist(), scale.item()) == ([0, 0], 0)
    _, bias, scale = filter_normalised(direction, params, keep_vectors=True)
    assert (bias.tolist(), scale.item()) == ([5, 0], 2)


@settings(max_examples=20, deadline=None)
@given(snapshots=st.integers(3, 8), seed=st.integers(0, 99))
def test_the_plane_of_a_trajectory(snapshots: int, seed: int) -> None:
    drawn = torch.Generator().manual_seed(seed)
    path = [
        [torch.randn(s, generator=drawn, dtype=DOUBLE) for s in ((3, 4), (5,))]
        for _ in range(snapshots)
    ]
    flat = torch.stack([torch.cat([p.flatten() for p in s]) for s in path]).numpy()
    centred = flat - flat.mean(axis=0)
    sizes, axes = np.linalg.svd(centred, full_matrices=False)[1:]
    found = trajectory_directions(path)
    np.testing.assert_allclose(found.explained, (sizes**2 / (sizes**2).sum())[:2], rtol=1e-8)
    for c, direction in enumerate(found.directions):
        assert [d.shape for d in direction] == [(3, 4), (5,)]
        vector = torch.cat([d.flatten() for d in direction]).numpy()
        assert abs(vector @ axes[c]) == pytest.approx(1, abs=1e-6)
        np.testing.assert_allclose(found.coordinates[:, c], (flat - flat[-1]) @ vector, atol=1e-9)
        assert found.coordinates[0, c] <= 0


def test_a_trajectory_lies_in_its_slice() -> None:
    """Where a path moves in a plane, the slice has its losses at its coordinates."""
    torch.manual_seed(0)
    w = torch.randn(6, dtype=DOUBLE)
    a, b = torch.randn(2, 6, dtype=DOUBLE)
    path = [[w + i * a + i**2 * b] for i in (3.0, 2.0, 1.0, 0.0)]
    found = trajectory_directions(path)
    one, two = found.directions
    plane = slice_2d(lambda: w.pow(4).sum(), [w], (one, two), *found.coordinates.T)
    expected = [s[0].pow(4).sum().item() for s in path]
    np.testing.assert_allclose(np.diag(plane.losses), expected, rtol=1e-9)


# --- bad input ------------------------------------------------------------------------------------


def test_losses_without_a_gradient() -> None:
    w = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="the loss is nan"):
        gradient_direction(lambda: w.sum() * float("nan"), [w])
    with pytest.raises(ValueError, match=r"does not depend on params\[0\]"):
        gradient_direction(lambda: torch.tensor(1.0), [w])
    with pytest.raises(ValueError, match=r"params\[0\] of shape \[2, 2\] does not require"):
        gradient_direction(lambda: W.sum(), [W])


def test_directions_of_other_parameters() -> None:
    with pytest.raises(ValueError, match="direction has 2 tensors; expected 1"):
        filter_normalised([W, W], [W])


def test_bad_trajectories() -> None:
    with pytest.raises(ValueError, match="2 snapshots span fewer than 2 directions"):
        trajectory_directions([[W], [W]])
    with pytest.raises(ValueError, match="move in fewer than 2 directions"):
        trajectory_directions([[W], [2 * W], [3 * W]])
    with pytest.raises(ValueError, match=r"snapshots\[1\]\[0\] has the shape"):
        trajectory_directions([[W], [W[0]], [W]])
    with pytest.raises(ValueError, match=r"snapshots\[0\]\[0\] is not finite"):
        trajectory_directions([[W / 0], [W], [W]])
