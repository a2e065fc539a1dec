"""Directions in the space of the parameters: by chance, along the gradient, along a path.

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

from dlcc.landscape._engine.vectors import Closure, check_loss, check_params, require_gradients
from dlcc.typing import Floats

Direction = Sequence[Tensor]


@dataclass(frozen=True)
class Trajectory:
    """The plane in which a path of snapshots moves the most."""

    directions: tuple[list[Tensor], ...]
    """Unit vectors over all parameters, pairwise orthogonal, the one of most variance first; each
    points from the first snapshot to the last."""
    explained: Floats
    """Share of the snapshots' variance along each."""
    coordinates: Floats
    """Of each snapshot, with the last one at 0, [snapshots, directions]: to draw into a slice that
    was taken at the last."""


def random_direction(params: Sequence[Tensor], seed: int = 0) -> list[Tensor]:
    """Normal numbers, the same on every device."""
    drawn = torch.Generator().manual_seed(seed)
    return [torch.randn(p.shape, generator=drawn, dtype=torch.float64).to(p) for p in params]


def gradient_direction(loss: Closure, params: Sequence[Tensor]) -> list[Tensor]:
    """The gradient: the loss rises along it.

    Raises:
        ValueError: the loss is no finite scalar, or does not depend on one of the parameters.
    """
    params = check_params(params)
    value = check_loss(loss())
    if not value.requires_grad:
        return require_gradients([None] * len(params), params)
    return require_gradients(torch.autograd.grad(value, params, allow_unused=True), params)


def trajectory_directions(snapshots: Sequence[Direction], count: int = 2) -> Trajectory:
    """Principal components of a path (Li et al. 2018, section 7).

    Args:
        snapshots: the parameters at each, in order; at least count + 1.
        count: of directions.

    Raises:
        ValueError: there are too few snapshots, their shapes differ, they are not finite, or they
            lie in a space of fewer dimensions than `count`.
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
    """Each filter of a direction scaled to the norm of the parameters' (Li et al. 2018, section 4).

    A filter is what makes one channel or neuron: one index of a weight's first axis. Biases and the
    scales of normalisations, all of at most one axis, get 0, as in the authors' code.

    Args:
        direction: a tensor for each parameter.
        params: what it belongs to.
        model: tells which weights are those of transposed convolutions, where the second axis
            counts the channels made.
        keep_vectors: scale biases and scales as one filter each instead.

    Raises:
        ValueError: `direction` does not go with `params` or is not finite.
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
    """A ValueError unless the direction is finite and of the parameters' shapes."""
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
    """d with the norms of p over `dims`; 0 where d or p is."""
    over = tuple(dims)
    if not over:  # a single number
        return p.abs() * d.sign()
    of_d = torch.linalg.vector_norm(d, dim=over, keepdim=True)
    of_p = torch.linalg.vector_norm(p, dim=over, keepdim=True)
    return torch.where(of_d > 0, d / torch.where(of_d > 0, of_d, 1.0) * of_p, 0.0)


def _groups_of_transposed(model: nn.Module) -> dict[int, int]:
    """id of the weight of a transposed convolution -> its groups."""
    found: dict[int, int] = {}
    for module in model.modules():
        if isinstance(module, _ConvTransposeNd):
            found |= {id(p): module.groups for p in module.parameters() if p.ndim > 1}
    return found
