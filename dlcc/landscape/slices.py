"""A loss along a line or over a plane in the space of the parameters (Li et al. 2018).

Points are evaluated one after the other, the parameters set in place and put back, where what a
first layer makes of the batch is known at every point from two or three of them; or several at once
by `torch.func.vmap`, where the net is so small that calls cost more than sums (`is_batched`).
Every point sees the same random numbers, and the random state is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from dlcc.landscape import rays
from dlcc.landscape.curvature import Closure, check_params
from dlcc.landscape.directions import Direction, check_direction
from dlcc.landscape.fallback import without_advice
from dlcc.landscape.products import quick_linear
from dlcc.landscape.taps import rows_of, unchanged

Floats = NDArray[np.float64]

BATCHED_LINEAR = 1 << 18
"""Multiplications a point up to which a net without convolutions is evaluated in batches."""
BATCHED_CONVOLUTIONAL = 1 << 19
"""The same for a net with convolutions, whose calls cost more.

Measured on one core of an AMD EPYC with torch 2.13 and glibc, CPU time of 51 points (25 in nets of
more than a million multiplications) in batches as a share of the loop's:

    net (rows)                           multiplications   batched
    MLP 2-8-8-8-1 (256)                           45,000       .47
    MLP 2-64-64-64-1 (16)                        136,000       .41
    MLP 2-32-32-32-1 (64)                        143,000       .36 to .72
    MLP 2-64-64-64-1 (64)                        545,000      1.13
    MLP 2-32-32-32-1 (256)                       573,000       .70 to 1.34
    MLP 784-256-256-256-256-1 (128)           51,000,000      1.45
    conv 8-8, 8 pixels (64)                      223,000       .52
    conv 8-8, 16 pixels (16)                     223,000       .41
    conv 16-16, 8 pixels (64)                    739,000       .96
    conv 8-8, 16 pixels (64)                     885,000       .98
    conv 16-16, 16 pixels (64)                 2,950,000      1.51
    conv 32-64, 28 pixels (128)              343,000,000      1.54
"""
_TOGETHER = 1 << 17
"""Numbers that the widest layer may give in one batch of points: of 2^16 to 2^20 the quickest:
larger blocks are asked of the system anew each time."""


@dataclass(frozen=True)
class ModelLoss:
    """A loss that can be evaluated at several points at once, and leaves its model as it was."""

    model: nn.Module
    loss: Callable[[nn.Module, Any], Tensor]
    """Of the model and a batch, a scalar."""
    batch: Any

    def __call__(self) -> Tensor:
        return self.loss(self.model, self.batch)


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
        loss: a closure without arguments that reads `params`; with a `ModelLoss` small nets go
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
    return not differentiates and _points_together(loss) is not None


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
    together = None if differentiates else _points_together(loss)
    if together is not None:
        assert isinstance(loss, ModelLoss)
        return _in_batches(loss, params, moved, grid, together), True
    return _one_by_one(loss, params, moved, grid, differentiates), False


def _one_by_one(
    loss: Closure,
    params: list[Tensor],
    directions: list[list[Tensor]],
    grid: Floats,
    differentiates: bool,
) -> Floats:
    found = np.zeros(len(grid))
    buffers = list(loss.model.buffers()) if isinstance(loss, ModelLoss) else []
    kept, kept_buffers = ([p.detach().clone() for p in some] for some in (params, buffers))
    held = [p.detach() for p in params]
    wide = any(p.ndim == 2 and p.numel() >= rays.WIDE for p in params)
    batch = loss.batch if isinstance(loss, ModelLoss) else None
    sums = rays.Rays(batch, params, kept, directions)
    with_sums = bool(sums.maps) and not differentiates
    try:
        with (
            _same_random(params[0].device) as again,
            quick_linear() if wide else nullcontext(),
            sums if with_sums else nullcontext(),
            torch.set_grad_enabled(differentiates),
            _advised(),
        ):
            for k, point in enumerate(grid):
                sums.point = point.tolist()
                _put_back(buffers, kept_buffers)
                for j, p in enumerate(held):
                    torch.add(kept[j], directions[0][j], alpha=float(point[0]), out=p)
                    for place, direction in zip(point[1:], directions[1:], strict=True):
                        p.add_(direction[j], alpha=float(place))
                again()
                found[k] = _scalar(loss()).item()
    finally:
        _put_back(held, kept)
        _put_back(buffers, kept_buffers)
    return found


def _put_back(tensors: Sequence[Tensor], kept: Sequence[Tensor]) -> None:
    for tensor, before in zip(tensors, kept, strict=True):
        tensor.detach().copy_(before)


@contextmanager
def _advised() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if "does not require grad" in str(error):
            error.add_note("if the loss takes gradients itself, give differentiates=True")
        raise


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
        found: Tensor = functional_call(whole, dict(values), ())
        return _scalar(found)

    evaluate, parts = vmap(at, randomness="same"), []
    with _same_random(params[0].device) as again, torch.no_grad(), without_advice():
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
        self.model, self.loss, self.batch = loss.model, loss.loss, loss.batch

    def forward(self) -> Tensor:
        return self.loss(self.model, self.batch)


def _scalar(value: Any) -> Tensor:
    """A loss [], finite or not."""
    if not isinstance(value, Tensor) or value.numel() != 1:
        shape = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"the loss is {shape}; expected a scalar: take its mean or sum")
    return value.reshape(())


def _points_together(loss: Closure | ModelLoss) -> int | None:
    """How many points go in one batch; None where they had better go one by one."""
    if not isinstance(loss, ModelLoss):
        return None
    layers = list(loss.model.modules())
    if any(m.training and next(m.buffers(recurse=False), None) is not None for m in layers):
        return None
    convolutional = any(isinstance(m, _ConvNd) for m in layers)
    limit = BATCHED_CONVOLUTIONAL if convolutional else BATCHED_LINEAR
    weights = sum(p.numel() for p in loss.model.parameters() if p.ndim > 1)
    if weights * (rows_of(loss.batch) or 1) > limit:  # without a pass to count them
        return None
    multiplications, widest = 0, 1

    def count(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        nonlocal multiplications, widest
        if not isinstance(output, Tensor):
            return
        widest = max(widest, output.numel())
        counted = args[0] if isinstance(module, _ConvTransposeNd) else output
        axis = 1 if isinstance(module, _ConvNd) else -1
        if counted.ndim and counted.shape[axis]:
            places = counted.numel() // counted.shape[axis]
            own = module.parameters(recurse=False)
            multiplications += places * sum(p.numel() for p in own if p.ndim > 1)

    hooks = [m.register_forward_hook(count) for m in layers]
    try:
        with unchanged(loss.model), torch.no_grad(), _advised():
            loss()
    finally:
        for hook in hooks:
            hook.remove()
    return max(1, _TOGETHER // widest) if multiplications <= limit else None


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
