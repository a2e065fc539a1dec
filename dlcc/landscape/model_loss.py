"""A loss that knows its model and its batch, and in what portions it is best evaluated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from dlcc.landscape.anatomy import unchanged
from dlcc.landscape.batches import rows_of, with_rows

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
BATCHED_NUMBERS = 1 << 17
"""Numbers that the widest layer may give in one batch of points: of 2^16 to 2^20 the quickest:
larger blocks are asked of the system anew each time."""
PART_NUMBERS = 1 << 20
"""Numbers that the widest layer may give of one part of a batch: of 2^18 to 2^22 the quickest."""


@dataclass(frozen=True)
class ModelLoss:
    """A loss that can be evaluated at several points at once, and leaves its model as it was."""

    model: nn.Module
    loss: Callable[[nn.Module, Any], Tensor]
    """Of the model and a batch, a scalar; or the loss of each row, [n], if `per_sample`."""
    batch: Any
    per_sample: bool = False
    """Whether each row has a loss of its own, in which no other row has a part: their mean is
    taken, of parts of the batch one after the other where a layer's outputs are large."""

    def __call__(self) -> Tensor:
        return self.over([self.batch])

    def over(self, parts: Sequence[Any]) -> Tensor:
        """Over all parts of the batch."""
        if not self.per_sample:
            (whole,) = parts
            return self.loss(self.model, whole)
        return torch.cat([_check_rows(self.loss(self.model, part), part) for part in parts]).mean()


def points_together(loss: ModelLoss) -> int | None:
    """How many points go in one batch of `torch.func.vmap`; None where they had better go one by
    one."""
    layers = list(loss.model.modules())
    if _writes(loss.model):
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

    with _watched(loss.model, count):
        loss()
    return max(1, BATCHED_NUMBERS // widest) if multiplications <= limit else None


def parts_of(loss: ModelLoss) -> list[Any]:
    """The batch in parts that caches hold; whole where its rows may be seen together."""
    n, model = rows_of(loss.batch), loss.model
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
        loss.over([with_rows(loss.batch, list(range(few)))])
        if not torch.equal(state, torch.get_rng_state()):  # in parts, rows would draw others
            return [loss.batch]
    step = math.ceil(n / math.ceil(n * widest / few / PART_NUMBERS))
    return [with_rows(loss.batch, slice(k, k + step)) for k in range(0, n, step)]


def _writes(model: nn.Module) -> bool:
    """Whether a layer in training has buffers to write to."""
    training = (m for m in model.modules() if m.training)
    return any(next(m.buffers(recurse=False), None) is not None for m in training)


@contextmanager
def _watched(model: nn.Module, hook: Callable[..., Any]) -> Iterator[None]:
    """For a pass without a graph: every layer's call goes to the hook, and nothing changes."""
    handles = [m.register_forward_hook(hook) for m in model.modules()]
    try:
        with unchanged(model), torch.no_grad(), advised():
            yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def advised() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if "does not require grad" in str(error):
            error.add_note("if the loss takes gradients itself, give differentiates=True")
        raise


def _check_rows(losses: Any, batch: Any) -> Tensor:
    """The losses of a batch's rows [n], finite or not."""
    n = rows_of(batch)
    if not isinstance(losses, Tensor) or losses.ndim != 1 or n not in (None, len(losses)):
        shape = list(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
        rows = "n" if n is None else n
        raise ValueError(f"the loss is {shape}; with per_sample, expected one a row, [{rows}]")
    return losses
