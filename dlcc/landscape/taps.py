"""What flows through a model in one pass: every layer's input, and the loss' slope at its output.

The slope at the outputs is all that a pass backward has to give; no gradient of a weight is made.
Nothing of the model changes: buffers that a pass writes (running statistics, power iterations) and
the random state are put back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize
from torch.utils._pytree import tree_map

PerSampleLoss = Callable[[nn.Module, Any], Tensor]
"""Of a model and a batch of n rows, the loss of each row, [n]."""


class NotFiniteError(ValueError):
    """Losses that are not finite have no gradients to measure."""


@dataclass
class Use:
    """One call of a layer during a pass."""

    module: nn.Module
    inputs: Tensor
    """[n, ...]"""
    statistics: tuple[Tensor, Tensor] | None = None
    """The mean and variance [channels] that a batch normalisation used."""
    parametrization: Mapping[str, Tensor] = field(default_factory=dict)
    """The buffers that its parametrisations used: a pass in training iterates them."""
    slopes: Tensor | None = None
    """Of the loss of each row at the layer's output, [n, ...]; None where nothing came back."""


@dataclass
class Pass:
    """A pass forward and back."""

    losses: Tensor
    """[n]"""
    uses: list[Use]
    frozen: dict[nn.Module, list[tuple[Tensor, Tensor]]]
    """Batch normalisations in training, and the means and variances that each call was held at."""
    buffers: list[Tensor]
    """The model's buffers as they were after it."""
    entries: Counter[int]
    """id of a parameter -> at how many places the losses depend on it."""


class _Tap(torch.autograd.Function):
    """The identity in place, which keeps what comes back."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, anchor: Tensor, use: Use) -> Tensor:
        ctx.use = use
        ctx.mark_dirty(output)
        return output

    @staticmethod
    def backward(ctx: Any, slopes: Tensor) -> tuple[Tensor, None, None]:
        if torch.is_grad_enabled():  # a pass back that is itself to be derived
            raise ValueError(
                "per_sample_loss takes a gradient of the model itself, as a gradient penalty does, "
                "which has no closed form here; measure the loss without the penalty"
            )
        ctx.use.slopes = slopes.detach()
        return slopes, None, None


def tapped(
    model: nn.Module, layers: list[nn.Module], per_sample_loss: PerSampleLoss, batch: Any
) -> Pass:
    """One pass of `batch`, with what goes in and comes back at `layers`.

    Raises:
        ValueError: the loss is not one finite number a row.
    """
    uses: list[Use] = []

    def tap(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        use = Use(module, args[0].detach(), _statistics(module), _parametrization(module))
        uses.append(use)
        tapped_output: Tensor = _Tap.apply(output, anchor, use)  # type: ignore[no-untyped-call]
        return tapped_output

    with unchanged(model), torch.enable_grad():
        anchor = torch.zeros((), device=_device(model), requires_grad=True)
        with _frozen_batch_norms(model) as frozen, _hooked(layers, tap):
            losses = check_losses(per_sample_loss(model, batch), batch)
        buffers = [b.clone() for b in model.buffers()]
        total = losses.sum()
        entries = _entries(total)
        if uses and total.requires_grad:
            torch.autograd.grad(total, anchor, allow_unused=True)
    rows = _by_rows(model, layers, per_sample_loss, batch, len(losses))
    alike = len(rows) == len(uses)  # the same calls, however many rows there are
    uses = [use for use, by_row in zip(uses, rows, strict=True) if by_row] if alike else []
    return Pass(losses.detach(), uses, frozen, buffers, entries)


def _by_rows(
    model: nn.Module,
    layers: list[nn.Module],
    per_sample_loss: PerSampleLoss,
    batch: Any,
    n: int,
) -> list[bool]:
    """Of each call of a layer, whether the first dimension of what goes in is the batch's rows.

    That its length is n may be chance, as of positions in a sequence: a pass of a few rows tells.
    """
    few = 2 if n != 2 else 3
    found: list[bool] = []

    def look(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        found.append(len(args[0]) == few)

    with unchanged(model), torch.no_grad(), _frozen_batch_norms(model), _hooked(layers, look):
        per_sample_loss(model, with_rows(batch, [k % n for k in range(few)]))
    return found


def with_rows(batch: Any, rows: slice | list[int]) -> Any:
    """Some rows of a batch; parts of another length than its first tensor stay whole."""
    n = rows_of(batch)
    return tree_map(lambda x: x[rows] if n is not None and is_by_row(x, n) else x, batch)


def is_by_row(x: Any, n: int) -> bool:
    """Whether a part of a batch of n rows is a tensor with a row each."""
    return isinstance(x, Tensor) and x.ndim > 0 and len(x) == n


@contextmanager
def _hooked(layers: list[nn.Module], hook: Callable[..., Any]) -> Iterator[None]:
    handles = [layer.register_forward_hook(hook) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _entries(total: Tensor) -> Counter[int]:
    """At how many places of the graph under `total` each parameter enters."""
    found: Counter[int] = Counter()
    seen, waiting = set(), [total.grad_fn]
    while waiting:
        node = waiting.pop()
        for below, _ in () if node is None else node.next_functions:
            if below is None:
                continue
            variable = getattr(below, "variable", None)  # of a node that ends in a leaf
            if variable is not None:
                found[id(variable)] += 1
            elif below not in seen:
                seen.add(below)
                waiting.append(below)
    return found


def _statistics(module: nn.Module) -> tuple[Tensor, Tensor] | None:
    if not isinstance(module, _BatchNorm):
        return None
    assert module.running_mean is not None  # in training `_frozen_batch_norms` has set them
    assert module.running_var is not None
    return module.running_mean, module.running_var


def _parametrization(module: nn.Module) -> dict[str, Tensor]:
    if not parametrize.is_parametrized(module):
        return {}
    made = module.get_submodule("parametrizations")
    return {name: buffer.clone() for name, buffer in made.named_buffers()}


def rows_of(batch: Any) -> int | None:
    """How many rows a batch has: the length of the first tensor in it; None without one."""
    if isinstance(batch, Tensor):
        return len(batch) if batch.ndim else None
    if isinstance(batch, dict):
        batch = list(batch.values())
    if isinstance(batch, list | tuple):
        return next((n for part in batch if (n := rows_of(part)) is not None), None)
    return None


def check_losses(losses: Any, batch: Any) -> Tensor:
    """The losses [n], or a ValueError that says what was given instead."""
    if not isinstance(losses, Tensor):
        raise ValueError(f"per_sample_loss gave {type(losses).__name__}, expected a tensor [n]")
    n = rows_of(batch)
    if losses.ndim != 1:
        raise ValueError(
            f"per_sample_loss gave a tensor of shape {list(losses.shape)}; expected one loss a row,"
            f" [{n if n is not None else 'n'}]: use reduction='none' and average over all but the "
            "first dimension"
        )
    if n is not None and n != len(losses):
        raise ValueError(f"per_sample_loss gave {len(losses)} losses for a batch of {n} rows")
    if len(losses) == 0:
        raise ValueError("the batch is empty; give at least one row")
    if not torch.isfinite(losses).all():
        bad = int((~torch.isfinite(losses)).sum())
        raise NotFiniteError(
            f"{bad} of {len(losses)} losses are not finite; measure before the training diverges, "
            "or leave these rows out"
        )
    return losses


def _device(model: nn.Module) -> torch.device:
    devices = {p.device for p in model.parameters()}
    if len(devices) > 1:
        listed = ", ".join(sorted(map(str, devices)))
        raise ValueError(f"the model lies on {listed}; move it to one device first")
    return next(iter(devices), torch.device("cpu"))


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Buffers and torch's random state are put back after a pass."""
    buffers = [
        (m, name, b, b.clone())
        for m in model.modules()
        for name, b in m._buffers.items()
        if b is not None
    ]
    device = _device(model)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        with torch.no_grad():
            for m, name, buffer, kept in buffers:
                m._buffers[name] = buffer.copy_(kept)


@contextmanager
def _frozen_batch_norms(model: nn.Module) -> Iterator[dict[nn.Module, list[tuple[Tensor, Tensor]]]]:
    """Batch normalisations in training use the batch's statistics as if these were constants.

    Else a row's loss would depend on the other rows, and there would be no gradient of a row.
    """
    layers = [
        m
        for m in model.modules()
        if isinstance(m, _BatchNorm) and (m.training or m.running_mean is None)
    ]
    kept = [(m, m.training, m.running_mean, m.running_var) for m in layers]
    frozen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def freeze(module: nn.Module, args: tuple[Any, ...]) -> None:
        assert isinstance(module, _BatchNorm)
        x = args[0].detach()
        variance, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)
        module.running_mean, module.running_var = mean, variance
        frozen.setdefault(module, []).append((mean, variance))

    hooks = [m.register_forward_pre_hook(freeze) for m in layers]
    try:
        for m in layers:
            m.training = False
        yield frozen
    finally:
        for hook in hooks:
            hook.remove()
        for m, training, running_mean, running_var in kept:
            m.training, m.running_mean, m.running_var = training, running_mean, running_var
