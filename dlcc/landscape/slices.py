"""A loss along a line or over a plane in the space of the parameters (Li et al. 2018).

Points are evaluated one after the other, the parameters set in place and put back, and, where rows
are known to stand alone, in parts of the batch that caches hold; or several at once by
`torch.func.vmap`, where the net is so small that calls cost more than sums (`is_batched`). Every
point sees the same random numbers, and the random state is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.func import vmap

from dlcc.landscape.curvature import Closure, check_params
from dlcc.landscape.directions import Direction, check_direction
from dlcc.landscape.fallback import functional_call_tied, without_vmap_warnings
from dlcc.landscape.model_loss import ModelLoss, batch_parts, points_per_batch, with_hint
from dlcc.landscape.structure import unchanged
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
        return _in_batches(loss, params, moved, grid, together), True
    return _one_by_one(loss, params, moved, grid, differentiates), False


def _together(loss: Closure | ModelLoss, differentiates: bool) -> int | None:
    """How many points go in one batch, as `points_per_batch`."""
    if differentiates or not isinstance(loss, ModelLoss):
        return None
    return points_per_batch(loss)


def _one_by_one(
    loss: Closure | ModelLoss,
    params: list[Tensor],
    directions: list[list[Tensor]],
    grid: Floats,
    differentiates: bool,
) -> Floats:
    """In place, through `data`: a graph from before can go back once the numbers are put back."""
    found, evaluate = np.zeros(len(grid)), loss
    held, kept = [p.data for p in params], [p.detach().clone() for p in params]
    line = kept if len(directions) == 1 else [torch.empty_like(p) for p in kept]
    with _buffers_of_its_own(loss) as (buffers, kept_buffers):
        if isinstance(loss, ModelLoss):
            evaluate = partial(loss.over, [loss.batch] if differentiates else batch_parts(loss))
        try:
            with (
                _same_random(params[0].device) as again,
                torch.set_grad_enabled(differentiates),
                with_hint(),
            ):
                for k, point in enumerate(grid.tolist()):
                    if line is not kept and (k == 0 or point[0] != grid[k - 1, 0]):
                        _move(line, kept, directions[0], point[0])
                    _move(held, line, directions[-1], point[-1])
                    _put_back(buffers, kept_buffers)
                    again()
                    found[k] = _scalar(evaluate()).item()
        finally:
            _put_back(held, kept)
    return found


@contextmanager
def _buffers_of_its_own(
    loss: Closure | ModelLoss,
) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """Copies of the buffers of a loss' model, in their places meanwhile, and what is in them."""
    if not isinstance(loss, ModelLoss):
        yield [], []
        return
    with unchanged(loss.model):
        buffers = list(loss.model.buffers())
        yield buffers, [b.detach().clone() for b in buffers]


def _move(into: list[Tensor], start: list[Tensor], direction: list[Tensor], place: float) -> None:
    """Write start + place · direction."""
    for own, before, along in zip(into, start, direction, strict=True):
        torch.add(before, along, alpha=place, out=own)


def _put_back(tensors: Sequence[Tensor], kept: Sequence[Tensor]) -> None:
    for tensor, before in zip(tensors, kept, strict=True):
        tensor.detach().copy_(before)


def _in_batches(
    loss: ModelLoss,
    params: list[Tensor],
    directions: list[list[Tensor]],
    grid: Floats,
    together: int,
) -> Floats:
    whole = _Whole(loss)
    names = {id(p): name for name, p in whole.named_parameters()}
    own = [names[id(p)] for p in params]

    def at(values: Mapping[str, Tensor]) -> Tensor:
        return _scalar(functional_call_tied(whole, values))

    evaluate, parts = vmap(at, randomness="same"), []
    with _same_random(params[0].device) as again, torch.no_grad(), without_vmap_warnings():
        for start in range(0, len(grid), together):
            points = torch.as_tensor(grid[start : start + together]).to(params[0])
            values = {}
            for j, (name, p) in enumerate(zip(own, params, strict=True)):
                place = points.view(*points.shape, *[1] * p.ndim)
                values[name] = p.detach() + place[:, 0] * directions[0][j]
                for c, direction in enumerate(directions[1:], start=1):
                    values[name] += place[:, c] * direction[j]
            again()
            parts.append(evaluate(values).double().cpu())
    return torch.cat(parts).numpy()


class _Whole(nn.Module):
    """A loss as a module: so that its model's parameters can be put in from outside."""

    def __init__(self, loss: ModelLoss) -> None:
        super().__init__()
        self.model, self.loss = loss.model, loss

    def forward(self) -> Tensor:
        return self.loss()


def _scalar(value: Any) -> Tensor:
    """A loss [], finite or not."""
    if not isinstance(value, Tensor) or value.numel() != 1:
        shape = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"the loss is {shape}; expected a scalar: take its mean or sum")
    return value.reshape(())


@contextmanager
def _same_random(device: torch.device) -> Iterator[Callable[[], None]]:
    """What is yielded sets the random state to what it was on entry; on exit it is put back."""
    cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        state = torch.get_rng_state()
        of_device = torch.cuda.get_rng_state(device) if cuda else None

        def again() -> None:
            torch.set_rng_state(state)
            if of_device is not None:
                torch.cuda.set_rng_state(of_device, device)

        yield again


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
