"""Directions in the space of the parameters: random ones, the gradient, those of a path.

A direction is a tensor for each parameter, of its shape.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd

from dlcc.landscape._engine.vectors import (
    Closure,
    called,
    check_loss,
    check_params,
    require_gradients,
)
from dlcc.landscape.batches import described
from dlcc.typing import Floats

Direction = Sequence[Tensor]
"""Direction in the space of the parameters: a tensor for each parameter, of its shape."""


@dataclass(frozen=True)
class Trajectory:
    """Plane in which a path of snapshots moves the most.

    >>> import torch
    >>> path = [[torch.tensor([t, t * t])] for t in (0.0, 1.0, 2.0)]
    >>> found = trajectory_directions(path)
    >>> found.explained.round(2).tolist(), found.coordinates[-1].round(2).tolist()
    ([0.99, 0.01], [0.0, 0.0])
    """

    directions: tuple[list[Tensor], ...]
    """Unit vectors over all parameters, pairwise orthogonal, the one of most variance first; each
    points from the first snapshot to the last."""
    explained: Floats
    """Share of the snapshots' variance along each direction, [directions]."""
    coordinates: Floats
    """Place of each snapshot, the last at 0, [snapshots, directions]: to draw into a slice that was
    taken at the last."""


def random_direction(params: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
    """Draw a direction of normal numbers, the same on every device.

    Args:
        params: parameters [...], of any shapes, that the direction is to belong to.
        seed: seed of the numbers.

    Returns:
        A tensor [...] for each parameter, of its shape, type and device.

    >>> import torch
    >>> drawn = random_direction([torch.zeros(2, 3)], seed=1)
    >>> drawn[0].shape, torch.equal(drawn[0], random_direction([torch.ones(2, 3)], seed=1)[0])
    (torch.Size([2, 3]), True)
    """
    drawn = torch.Generator().manual_seed(seed)
    return [torch.randn(p.shape, generator=drawn, dtype=torch.float64).to(p) for p in params]


def gradient_direction(loss: Closure, params: Sequence[Tensor]) -> list[Tensor]:
    """Take the gradient as a direction: the loss rises along it.

    Args:
        loss: closure without arguments that gives a scalar.
        params: parameters [...], of any shapes, that all have a part in it.

    Returns:
        A tensor [...] for each parameter, of its shape.

    Raises:
        ValueError: the loss is no scalar, or does not depend on one of the parameters.
        NotFiniteError: the loss is not finite.

    >>> import torch
    >>> w = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> gradient_direction(lambda: w.square().sum(), [w])
    [tensor([ 2., -4.])]
    """
    params = check_params(params)
    value = check_loss(called(loss))
    if not value.requires_grad:
        return require_gradients([None] * len(params), params)
    return require_gradients(torch.autograd.grad(value, params, allow_unused=True), params)


def trajectory_directions(snapshots: Sequence[Direction], count: int = 2) -> Trajectory:
    """Find the principal components of a path (Li et al. 2018, section 7).

    Args:
        snapshots: list of the parameters [...] at each snapshot, in the order of the path; at least
            count + 1 of them.
        count: number of directions to find, 1 or more.

    Returns:
        The directions, the variance along each [count], and the path in them [snapshots, count].

    Raises:
        ValueError: there are too few snapshots, their shapes differ, they are not finite, or they
            lie in a space of fewer dimensions than `count`.

    >>> import torch
    >>> found = trajectory_directions([[torch.tensor([t, 0.0])] for t in (0.0, 1.0)], count=1)
    >>> found.directions[0][0].round(decimals=3), found.coordinates.round(3).ravel().tolist()
    (tensor([1., 0.]), [-1.0, 0.0])
    """
    if len(snapshots) < count + 1:
        raise ValueError(
            f"{len(snapshots)} snapshots span fewer than {count} directions; expected at least "
            f"{count + 1}"
        )
    last = snapshots[-1]
    for k, snapshot in enumerate(snapshots):
        check_direction(snapshot, last, f"snapshots[{k}]")
    moved = [
        torch.stack(
            [s[j].detach().double().flatten() - p.detach().double().flatten() for s in snapshots]
        )
        for j, p in enumerate(last)
    ]
    centred = [part - part.mean(dim=0) for part in moved]
    gram = torch.stack([part @ part.T for part in centred]).sum(dim=0).cpu().numpy()
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1][:count], vectors[:, ::-1][:, :count]
    if not values[-1] > 1e-12 * np.trace(gram):
        raise ValueError(
            f"the snapshots move in fewer than {count} directions; take fewer directions or other "
            "snapshots"
        )
    found, coordinates = [], np.zeros((len(snapshots), count))
    for c in range(count):
        mix = torch.as_tensor(vectors[:, c] / math.sqrt(values[c])).to(moved[0])
        parts = [mix @ part for part in centred]
        each = [part @ d for part, d in zip(moved, parts, strict=True)]
        along = torch.stack(each).sum(dim=0).cpu().numpy()
        sign = 1.0 if along[0] <= 0 else -1.0
        coordinates[:, c] = sign * along
        found.append([(sign * d).view_as(p).to(p) for d, p in zip(parts, last, strict=True)])
    return Trajectory(tuple(found), values / np.trace(gram), coordinates)


def filter_normalised(
    direction: Direction,
    params: Sequence[Tensor],
    *,
    model: nn.Module | None = None,
    keep_vectors: bool = False,
) -> list[Tensor]:
    """Scale each filter of a direction to the norm of the parameters' (Li et al. 2018, section 4).

    A filter is what makes one channel or neuron: one index of a weight's first axis. Biases and the
    scales of normalisations, all of at most one axis, get 0, as in the authors' code.

    Args:
        direction: a tensor [...] for each parameter, of its shape.
        params: parameters [...], of any shapes, that the direction belongs to.
        model: tells which weights are those of transposed convolutions, where the second axis
            counts the channels made.
        keep_vectors: scale biases and scales as one filter each instead.

    Returns:
        A tensor [...] for each parameter, of its shape.

    Raises:
        ValueError: `direction` does not go with `params` or is not finite.

    >>> import torch
    >>> weight, bias = torch.tensor([[3.0, 4.0], [0.0, 1.0]]), torch.ones(2)
    >>> found = filter_normalised([torch.ones(2, 2), torch.ones(2)], [weight, bias])
    >>> found[0].norm(dim=1).round(decimals=3), found[1]
    (tensor([5., 1.]), tensor([0., 0.]))
    """
    check_direction(direction, params, "direction")
    groups = {} if model is None else _groups_of_transposed(model)
    found = []
    for d, p in zip(direction, params, strict=True):
        d, p, own = d.detach(), p.detach(), groups.get(id(p))
        if p.ndim <= 1:
            found.append(_rescaled(d, p, range(p.ndim)) if keep_vectors else torch.zeros_like(d))
        elif own is None:
            found.append(_rescaled(d, p, range(1, p.ndim)))
        else:
            shape = (own, p.shape[0] // own, *p.shape[1:])  # [groups, in, out, *kernel]
            scaled = _rescaled(d.reshape(shape), p.reshape(shape), (1, *range(3, len(shape))))
            found.append(scaled.reshape(p.shape))
    return found


def check_direction(direction: Direction, params: Sequence[Tensor], name: str) -> None:
    """Check that a direction is finite and of the parameters' shapes.

    Args:
        direction: a tensor [...] for each parameter, of its shape.
        params: parameters [...], of any shapes, that the direction belongs to.
        name: name of the argument, for the message.

    Raises:
        ValueError: the direction is not finite or has other shapes.

    >>> import torch
    >>> check_direction([torch.ones(2)], [torch.zeros(3)], "direction")
    Traceback (most recent call last):
    ...
    ValueError: direction[0] has the shape [2]; expected [3], as params
    """
    if not isinstance(direction, Sequence) or any(not isinstance(d, Tensor) for d in direction):
        raise ValueError(f"{name} is {described(direction)}; expected a list of tensors, as params")
    if len(direction) != len(params):
        raise ValueError(f"{name} has {len(direction)} tensors; expected {len(params)}, as params")
    for k, (d, p) in enumerate(zip(direction, params, strict=True)):
        if d.shape != p.shape:
            raise ValueError(
                f"{name}[{k}] has the shape {list(d.shape)}; expected {list(p.shape)}, as params"
            )
        if not bool(torch.isfinite(d).all()):
            raise ValueError(f"{name}[{k}] is not finite; measure before the training diverges")


def _rescaled(d: Tensor, p: Tensor, dims: Iterable[int]) -> Tensor:
    """Tensor d with the norms of p over `dims`; 0 where d or p is."""
    over = tuple(dims)
    if not over:  # a single number
        return p.abs() * d.sign()
    of_d = torch.linalg.vector_norm(d, dim=over, keepdim=True)
    of_p = torch.linalg.vector_norm(p, dim=over, keepdim=True)
    return torch.where(of_d > 0, d / torch.where(of_d > 0, of_d, 1.0) * of_p, 0.0)


def _groups_of_transposed(model: nn.Module) -> dict[int, int]:
    """Groups of each transposed convolution, by the id of its weight."""
    found: dict[int, int] = {}
    for module in model.modules():
        if isinstance(module, _ConvTransposeNd):
            found |= {id(p): module.groups for p in module.parameters() if p.ndim > 1}
    return found
