"""Losses along a line or over a plane in the space of the parameters (Li et al. 2018).

Points are evaluated one after the other, the parameters set in place and put back, and, where rows
are known to stand alone, in parts of the batch that caches hold; or several at once by
`torch.func.vmap`, where the net is so small that calls cost more than sums (`is_batched`). Every
point sees the same random numbers, and the random state is put back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor, nn

from dlcc.landscape._engine.evaluation import evaluate_in_batches, evaluate_one_by_one
from dlcc.landscape._engine.portions import points_per_batch
from dlcc.landscape._engine.vectors import Closure, check_params
from dlcc.landscape.batches import described
from dlcc.landscape.directions import Direction, check_direction
from dlcc.landscape.model_loss import ModelLoss
from dlcc.typing import Floats


@dataclass(frozen=True)
class Slice1D:
    """Loss along a line.

    >>> import numpy as np
    >>> found = Slice1D(np.array([-1.0, 0.0, 1.0]), np.array([2.0, 1.0, 3.0]), batched=False)
    >>> float(found.at[found.losses.argmin()])
    0.0
    """

    at: Floats
    """Places on the line, 0 at the parameters as they are, in lengths of the direction, [n]."""
    losses: Floats
    """Loss at each place, [n]; not finite where the loss is not."""
    batched: bool
    """Whether points were evaluated several at a time."""


@dataclass(frozen=True)
class Slice2D:
    """Loss over a plane.

    >>> import numpy as np
    >>> found = Slice2D(np.arange(2.0), np.arange(3.0), np.zeros((2, 3)), batched=False)
    >>> found.losses.shape
    (2, 3)
    """

    at: Floats
    """Places along the first direction, [n]."""
    across: Floats
    """Places along the second direction, [m]."""
    losses: Floats
    """Loss at each pair of places, [n, m]; not finite where the loss is not."""
    batched: bool
    """Whether points were evaluated several at a time."""


def slice_1d(
    loss: Closure | ModelLoss,
    params: Sequence[Tensor],
    direction: Direction,
    at: ArrayLike,
    *,
    differentiates: bool = False,
) -> Slice1D:
    """Evaluate a loss at params + a · direction for each a of `at`.

    Source: Li et al. 2018, section 3, f(α) = L(θ* + α·δ).

    Args:
        loss: closure without arguments that reads `params` and gives a scalar; with a `ModelLoss`
            small nets go faster, and buffers that a pass writes are put back.
        params: tensors [...], of any shapes, that are set in place and put back bit for bit, also
            after an error or Ctrl-C.
        direction: a tensor [...] for each parameter, of its shape.
        at: places [n], in lengths of the direction.
        differentiates: whether the loss takes gradients itself, as one with a gradient penalty.

    Returns:
        The places and the losses [n].

    Raises:
        ValueError: params is empty or on two devices, `direction` does not go with it or is not
            finite, `at` is empty, or the loss is no scalar.

    >>> import torch
    >>> w = torch.ones(2)
    >>> slice_1d(lambda: w.square().sum(), [w], [torch.ones(2)], [-1, 0, 1]).losses.tolist()
    [0.0, 2.0, 8.0]
    """
    places = _places(at, "at")
    losses, batched = _evaluated(loss, params, [direction], places[:, None], differentiates)
    return Slice1D(places, losses, batched)


def slice_2d(
    loss: Closure | ModelLoss,
    params: Sequence[Tensor],
    directions: tuple[Direction, Direction],
    at: ArrayLike,
    across: ArrayLike | None = None,
    *,
    differentiates: bool = False,
) -> Slice2D:
    """Evaluate a loss at params + a · directions[0] + b · directions[1].

    Source: Li et al. 2018, section 3, f(α, β) = L(θ* + α·δ + β·η).

    Args:
        loss: closure without arguments that reads `params` and gives a scalar; with a `ModelLoss`
            small nets go faster, and buffers that a pass writes are put back.
        params: tensors [...], of any shapes, that are set in place and put back bit for bit, also
            after an error or Ctrl-C.
        directions: two directions, each a tensor [...] for each parameter, of its shape.
        at: values [n] of a, in lengths of the first direction.
        across: values [m] of b, in lengths of the second direction; those of a by default.
        differentiates: whether the loss takes gradients itself, as one with a gradient penalty.

    Returns:
        The places [n] and [m], and the losses [n, m].

    Raises:
        ValueError: params is empty or on two devices, `directions` are not two that go with it and
            are finite, `at` or `across` is empty, or the loss is no scalar.

    >>> import torch
    >>> w = torch.zeros(2)
    >>> axes = [torch.tensor([1.0, 0.0])], [torch.tensor([0.0, 1.0])]
    >>> slice_2d(lambda: w[0] - 2 * w[1], [w], axes, [0, 1], [0, 3]).losses.tolist()
    [[0.0, -6.0], [1.0, -5.0]]
    """
    if len(directions) != 2:
        raise ValueError(f"directions is {described(directions)}; expected two directions")
    places = _places(at, "at")
    others = places if across is None else _places(across, "across")
    grid = np.stack(np.meshgrid(places, others, indexing="ij"), axis=-1).reshape(-1, 2)
    losses, batched = _evaluated(loss, params, directions, grid, differentiates)
    return Slice2D(places, others, losses.reshape(len(places), len(others)), batched)


def is_batched(loss: Closure | ModelLoss, *, differentiates: bool = False) -> bool:
    """Whether a slice evaluates several points at a time: the same for the same loss and batch.

    It does for a `ModelLoss` whose layers take few multiplications (the table in
    docs/landscape-engine.md), unless a layer in training has buffers to write to, as a batch
    normalisation, or the loss takes gradients itself.

    Args:
        loss: closure without arguments that gives a scalar, or a `ModelLoss`.
        differentiates: whether the loss takes gradients itself, as one with a gradient penalty.

    Returns:
        True where several points go at a time.

    >>> import torch
    >>> from torch import nn
    >>> loss = ModelLoss(nn.Linear(2, 1), lambda m, x: m(x).mean(), torch.zeros(4, 2))
    >>> is_batched(loss), is_batched(lambda: torch.zeros(()))
    (True, False)
    """
    return _together(loss, differentiates) is not None


def _evaluated(
    loss: Closure | ModelLoss,
    params: Sequence[Tensor],
    directions: Sequence[Direction],
    grid: Floats,
    differentiates: bool,
) -> tuple[Floats, bool]:
    """Losses [n] at params + grid [n, directions] · directions, and whether batched."""
    params = check_params(params, trained=False)
    if not callable(loss):
        raise ValueError(f"loss is {described(loss)}; expected a closure or a ModelLoss")
    if isinstance(loss, ModelLoss):
        _check_belong(params, loss.model)
    for k, direction in enumerate(directions):
        name = "direction" if len(directions) == 1 else f"directions[{k}]"
        check_direction(direction, params, name)
    moved = [[d.detach().to(p) for d, p in zip(own, params, strict=True)] for own in directions]
    together = _together(loss, differentiates)
    if together is not None:
        assert isinstance(loss, ModelLoss)
        return evaluate_in_batches(loss, params, moved, grid, together), True
    return evaluate_one_by_one(loss, params, moved, grid, differentiates), False


def _together(loss: Closure | ModelLoss, differentiates: bool) -> int | None:
    """Number of points in one batch, as `points_per_batch` has it."""
    if differentiates or not isinstance(loss, ModelLoss):
        return None
    return points_per_batch(loss)


def _places(at: ArrayLike, name: str) -> Floats:
    """Places as an array [n], or a ValueError."""
    places = np.asarray(at, dtype=np.float64)
    if places.ndim != 1 or len(places) == 0:
        raise ValueError(f"{name} has the shape {list(places.shape)}; expected places [n]")
    if not np.isfinite(places).all():
        bad = int((~np.isfinite(places)).sum())
        raise ValueError(f"{name} has places that are not finite, {bad} of {len(places)}")
    return places


def _check_belong(params: Sequence[Tensor], model: nn.Module) -> None:
    """Check that all parameters are the model's."""
    own = {id(p) for p in model.parameters()}
    for k, p in enumerate(params):
        if id(p) not in own:
            raise ValueError(
                f"params[{k}] of shape {list(p.shape)} is no parameter of the loss' model"
            )
