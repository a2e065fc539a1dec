"""Portions in which a loss is best evaluated: points of a slice at once, parts of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from dlcc.landscape.batches import count_rows, select_rows
from dlcc.landscape.model_loss import ModelLoss
from dlcc.landscape.model_state import unchanged

BATCHED_LINEAR = 1 << 18
"""Multiplications a point up to which a net without convolutions is evaluated in batches."""

BATCHED_CONVOLUTIONAL = 1 << 19
"""Multiplications a point up to which one with convolutions is, whose calls cost more: both limits
are measured (docs/landscape-engine.md)."""
BATCHED_NUMBERS = 1 << 17
"""Numbers that the widest layer may give in one batch of points, of 2^16 to 2^20 the quickest:
larger blocks are asked of the system anew each time."""

PART_NUMBERS = 1 << 20
"""Numbers that the widest layer may give of one part of a batch, of 2^18 to 2^22 the quickest."""


def points_per_batch(loss: ModelLoss) -> int | None:
    """Number of points in one batch of `torch.func.vmap`; None where they had better go one by
    one."""
    layers = list(loss.model.modules())
    if _writes(loss.model):
        return None
    convolutional = any(isinstance(m, _ConvNd) for m in layers)
    limit = BATCHED_CONVOLUTIONAL if convolutional else BATCHED_LINEAR
    weights = sum(p.numel() for p in loss.model.parameters() if p.ndim > 1)
    if weights * (count_rows(loss.batch) or 1) > limit:  # without a pass to count them
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

    with _watched(loss.model, count):
        loss()
    return max(1, BATCHED_NUMBERS // widest) if multiplications <= limit else None


def batch_parts(loss: ModelLoss) -> list[Any]:
    """Parts of the batch that caches hold; all of it where its rows may be seen together."""
    n, model = count_rows(loss.batch), loss.model
    coupled = any(isinstance(m, _BatchNorm) and m.running_mean is None for m in model.modules())
    cpu = all(p.device.type == "cpu" for p in model.parameters())
    if not loss.per_sample or n is None or coupled or _writes(model) or not cpu:
        return [loss.batch]
    few, widest = min(n, 2), 1

    def look(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        nonlocal widest
        widest = max(widest, output.numel() if isinstance(output, Tensor) else 1)

    with _watched(model, look):
        state = torch.get_rng_state()
        loss.over([select_rows(loss.batch, list(range(few)))])
        if not torch.equal(state, torch.get_rng_state()):  # in parts, rows would draw others
            return [loss.batch]
    step = math.ceil(n / math.ceil(n * widest / few / PART_NUMBERS))
    return [select_rows(loss.batch, slice(k, k + step)) for k in range(0, n, step)]


def _writes(model: nn.Module) -> bool:
    """Whether a layer in training has buffers to write to."""
    training = (m for m in model.modules() if m.training)
    return any(next(m.buffers(recurse=False), None) is not None for m in training)


@contextmanager
def _watched(model: nn.Module, hook: Callable[..., Any]) -> Iterator[None]:
    """Hook every layer for a pass without a graph that changes nothing."""
    handles = [m.register_forward_hook(hook) for m in model.modules()]
    try:
        with unchanged(model), torch.no_grad(), with_hint():
            yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def with_hint() -> Iterator[None]:
    """Add to an error of autograd what to do where the loss takes gradients itself."""
    try:
        yield
    except RuntimeError as error:
        if "does not require grad" in str(error):
            error.add_note("if the loss takes gradients itself, give differentiates=True")
        raise
