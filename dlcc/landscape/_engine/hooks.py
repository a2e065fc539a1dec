"""Inputs of a model's layers in one pass, and the loss' gradients at their outputs.

The gradients at the outputs are all that a pass backward has to give; no gradient of a weight is
made. Nothing of the model changes: passes write to copies of its buffers (running statistics, power
iterations), and the random state is put back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from dlcc.landscape._engine.closed_forms import LayerCall
from dlcc.landscape._engine.structure import Buffer, ModelStructure
from dlcc.landscape.batches import PerSampleLoss, check_losses, select_rows

Args = tuple[Any, ...]
Kwargs = dict[str, Any]


@dataclass
class HookedPass:
    """Pass of a batch forward and back."""

    losses: Tensor
    """Loss of each row, [n]."""
    calls: list[LayerCall]
    """Calls of layers whose input has the batch's rows."""
    frozen: dict[nn.Module, list[tuple[Tensor, Tensor]]]
    """Batch normalisations in training, and the means and variances that each call was held at."""
    buffers: list[Buffer]
    """Buffers of the model, as they were after the pass."""
    entries: Counter[int]
    """Number of places at which the losses depend on a parameter, by its id."""


def run_with_hooks(
    structure: ModelStructure, per_sample_loss: PerSampleLoss, batch: Any
) -> HookedPass:
    """Pass a batch forward and back, hooked at the layers that have closed forms.

    The structure is looked at in the first pass, and again where layers are called in another
    order: which calls have the batch's rows.

    Raises:
        ValueError: the loss is not one finite number a row, or takes a gradient of the model.
    """
    calls: list[LayerCall] = []
    outputs: list[GradientEdge] = []
    reached: list[LayerCall] = []  # those that a pass back may come to

    def tap(module: nn.Module, args: Args, kwargs: Kwargs, output: Tensor) -> None:
        x = _input(args, kwargs).detach()
        call = LayerCall(module, x, _statistics(module), _parametrization(module))
        calls.append(call)
        if output.grad_fn is not None:
            output.grad_fn.register_prehook(_refuse_to_be_derived)
            # of the output as it is here: what comes may change it in place
            outputs.append(get_gradient_edge(output))
            reached.append(call)

    with structure.unchanged(), torch.enable_grad():
        with _frozen_batch_norms(structure) as frozen, _hooked(structure, tap):
            losses = check_losses(per_sample_loss(structure.model, batch), batch)
        buffers = structure.buffers()
        total = losses.sum()
        if not total.requires_grad:
            raise ValueError(
                "per_sample_loss gives losses without a graph; let it use the model that it is "
                "given, and neither detach() nor no_grad()"
            )
        called = [call.module for call in calls]
        entries = graph_entries(total)  # each time: a loss may have terms that come and go
        if outputs:
            found = torch.autograd.grad(total, outputs, allow_unused=True)
            for call, gradient in zip(reached, found, strict=True):
                call.output_gradients = gradient
    if structure.calls != called:
        of_few = _by_rows(structure, per_sample_loss, batch, len(losses))
        alike = len(of_few) == len(calls)
        structure.calls, structure.by_rows = called, []
        if alike:  # of both lengths: a later batch may be as long as the few are
            both = zip(calls, of_few, strict=True)
            structure.by_rows = [few and len(call.inputs) == len(losses) for call, few in both]
    alike = len(structure.by_rows) == len(calls)  # the same calls, however many rows there are
    by_rows = zip(calls, structure.by_rows, strict=True) if alike else []
    held = [call for call, holds in by_rows if holds]
    return HookedPass(losses.detach(), held, frozen, buffers, entries)


def _refuse_to_be_derived(output_gradients: tuple[Tensor, ...]) -> None:
    if torch.is_grad_enabled():  # in a pass back that is itself to be derived
        raise ValueError(
            "per_sample_loss takes a gradient of the model itself, as a gradient penalty does, "
            "which has no closed form here; measure the loss without the penalty"
        )


def _by_rows(
    structure: ModelStructure, per_sample_loss: PerSampleLoss, batch: Any, n: int
) -> list[bool]:
    """Whether the first dimension of what goes in is the batch's rows, for each call of a layer.

    A length of n may be chance, as of positions in a sequence: a pass of a few rows tells.
    """
    few = 2 if n != 2 else 3
    found: list[bool] = []

    def look(module: nn.Module, args: Args, kwargs: Kwargs, output: Tensor) -> None:
        found.append(len(_input(args, kwargs)) == few)

    some = select_rows(batch, [k % n for k in range(few)])
    with (
        structure.unchanged(),
        torch.no_grad(),
        _frozen_batch_norms(structure),
        _hooked(structure, look),
    ):
        per_sample_loss(structure.model, some)
    return found


@contextmanager
def _hooked(structure: ModelStructure, hook: Callable[..., Any]) -> Iterator[None]:
    handles = [layer.register_forward_hook(hook, with_kwargs=True) for layer in structure.layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def graph_entries(total: Tensor) -> Counter[int]:
    """Count the places of the graph under `total` at which each parameter enters, by id."""
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


def _input(args: Args, kwargs: Kwargs) -> Tensor:
    """Input that a layer is called with: all that have closed forms name it alike."""
    found: Tensor = args[0] if args else kwargs["input"]
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


@contextmanager
def _frozen_batch_norms(
    structure: ModelStructure,
) -> Iterator[dict[nn.Module, list[tuple[Tensor, Tensor]]]]:
    """Batch normalisations in training call the batch's statistics as if these were constants.

    Else a row's loss would depend on the other rows, and there would be no gradient of a row.
    """
    layers = [m for m in structure.batch_norms if m.training or m.running_mean is None]
    kept = [(m, m.training, m.running_mean, m.running_var) for m in layers]
    frozen: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def freeze(module: nn.Module, args: Args, kwargs: Kwargs) -> None:
        assert isinstance(module, _BatchNorm)
        x = _input(args, kwargs).detach()
        variance, mean = torch.var_mean(x, [0, *range(2, x.ndim)], correction=0)
        module.running_mean, module.running_var = mean, variance
        frozen.setdefault(module, []).append((mean, variance))

    hooks = [m.register_forward_pre_hook(freeze, with_kwargs=True) for m in layers]
    try:
        for m in layers:
            m.training = False
        yield frozen
    finally:
        for hook in hooks:
            hook.remove()
        for m, training, running_mean, running_var in kept:
            m.training, m.running_mean, m.running_var = training, running_mean, running_var
