"""Losses at many points of a line or a plane, one after the other or several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import vmap

from dlcc.landscape._engine.fallback import functional_call_tied, without_vmap_warnings
from dlcc.landscape._engine.portions import batch_parts, with_hint
from dlcc.landscape._engine.vectors import Closure, check_scalar
from dlcc.landscape.model_loss import ModelLoss
from dlcc.landscape.model_state import unchanged
from dlcc.typing import Floats


def evaluate_one_by_one(
    loss: Closure | ModelLoss,
    params: list[Tensor],
    directions: list[list[Tensor]],
    grid: Floats,
    differentiates: bool,
) -> Floats:
    """Losses [n] at params + grid [n, directions] · directions, one point after the other.

    Parameters are set in place through `data`, which autograd does not count as a change: a graph
    from before can go back once the numbers are put back.
    """
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
                    found[k] = check_scalar(evaluate()).item()
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
    """Write start + place · direction into tensors."""
    for own, before, along in zip(into, start, direction, strict=True):
        torch.add(before, along, alpha=place, out=own)


def _put_back(tensors: Sequence[Tensor], kept: Sequence[Tensor]) -> None:
    for tensor, before in zip(tensors, kept, strict=True):
        tensor.detach().copy_(before)


def evaluate_in_batches(
    loss: ModelLoss,
    params: list[Tensor],
    directions: list[list[Tensor]],
    grid: Floats,
    together: int,
) -> Floats:
    """Losses [n] at params + grid · directions, `together` points at a time by vmap."""
    whole = _Whole(loss)
    names = {id(p): name for name, p in whole.named_parameters()}
    own = [names[id(p)] for p in params]

    def at(values: Mapping[str, Tensor]) -> Tensor:
        return check_scalar(functional_call_tied(whole, values))

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
    """Module of a loss, so that its model's parameters can be put in from outside."""

    def __init__(self, loss: ModelLoss) -> None:
        super().__init__()
        self.model, self.loss = loss.model, loss

    def forward(self) -> Tensor:
        return self.loss()


@contextmanager
def _same_random(device: torch.device) -> Iterator[Callable[[], None]]:
    """Yield a function that sets the random state to what it was on entry, where exit puts it."""
    cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        state = torch.get_rng_state()
        of_device = torch.cuda.get_rng_state(device) if cuda else None

        def again() -> None:
            torch.set_rng_state(state)
            if of_device is not None:
                torch.cuda.set_rng_state(of_device, device)

        yield again
