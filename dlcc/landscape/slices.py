"""A loss along a line or over a plane in the space of the parameters (Li et al. 2018).

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
from dlcc.landscape.directions import Direction, check_direction
from dlcc.landscape.model_loss import ModelLoss
from dlcc.typing import Floats


@dataclass(frozen=True)
class Slice1D:
    """A loss along a line."""

    at: Floats
    """Places on it, 0 at the parameters as they are, in lengths of the direction, [n]."""
    losses: Floats
    """[n]; not finite where the loss is not."""
    batched: bool
    """Whether points were evaluated several at a time."""


@dataclass(frozen=True)
class Slice2D:
    """A loss over a plane."""

    at: Floats
    """Places along the first direction, [n]."""
    across: Floats
    """Along the second, [m]."""
    losses: Floats
    """[n, m]; not finite where the loss is not."""
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
    """The loss at params + a · direction for each a of `at`.

    Args:
        loss: a closure without arguments that reads `params`; with a `ModelLoss` nets go
            faster, and buffers that a pass writes are put back.
        params: set in place and put back bit for bit, also after an error or Ctrl-C.
        direction: a tensor for each of them.
        at: places [n].
        differentiates: whether the loss takes gradients itself, as one with a gradient penalty.

    Raises:
        ValueError: params is empty or on two devices, `direction` does not go with it or is not
            finite, `at` is empty, or the loss is no scalar.
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
    """The loss at params + a · directions[0] + b · directions[1] for each a of `at` and b of
    `across`, which is `at` by default.

    Raises:
        ValueError: as for `slice_1d`.
    """
    places = _places(at, "at")
    others = places if across is None else _places(across, "across")
    grid = np.stack(np.meshgrid(places, others, indexing="ij"), axis=-1).reshape(-1, 2)
    losses, batched = _evaluated(loss, params, directions, grid, differentiates)
    return Slice2D(places, others, losses.reshape(len(places), len(others)), batched)


def is_batched(loss: Closure | ModelLoss, *, differentiates: bool = False) -> bool:
    """Whether points are evaluated several at a time: the same for the same loss and batch.

    They are for a `ModelLoss` whose layers take few multiplications (the table at
    `BATCHED_CONVOLUTIONAL`), unless a layer in training has buffers to write to, as a batch
    normalisation, or the loss takes gradients itself.
    """
    return _together(loss, differentiates) is not None


# --- evaluation -----------------------------------------------------------------------------------


def _evaluated(
    loss: Closure | ModelLoss,
    params: Sequence[Tensor],
    directions: Sequence[Direction],
    grid: Floats,
    differentiates: bool,
) -> tuple[Floats, bool]:
    """The losses [n] at params + grid [n, directions] · directions, and whether batched."""
    params = check_params(params, trained=False)
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
    """How many points go in one batch, as `points_per_batch`."""
    if differentiates or not isinstance(loss, ModelLoss):
        return None
    return points_per_batch(loss)


# --- what is given --------------------------------------------------------------------------------


def _places(at: ArrayLike, name: str) -> Floats:
    places = np.asarray(at, dtype=np.float64)
    if places.ndim != 1 or len(places) == 0:
        raise ValueError(f"{name} has the shape {list(places.shape)}; expected places [n]")
    if not np.isfinite(places).all():
        raise ValueError(f"{name} has places that are not finite")
    return places


def _check_belong(params: Sequence[Tensor], model: nn.Module) -> None:
    own = {id(p) for p in model.parameters()}
    for k, p in enumerate(params):
        if id(p) not in own:
            raise ValueError(
                f"params[{k}] of shape {list(p.shape)} is no parameter of the loss' model"
            )
