"""Passes of many sets of parameters, forward and back, and the gradients of its rows.

Inputs and output gradients of a layer's calls are those of sets · n rows, which closed forms do not
tell from rows of one net; what has no closed form goes through `torch.func.vmap` over sets and
rows.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad, vmap
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from dlcc.landscape._engine.closed_forms import GradientForm, LayerCall, Summed, closed_forms_of
from dlcc.landscape._engine.fallback import without_vmap_warnings
from dlcc.landscape._engine.hooks import HookedPass, run_with_hooks
from dlcc.landscape._engine.parameter_gradients import ParameterGradients
from dlcc.landscape._engine.stacked_model import StackedModel, check_finite
from dlcc.landscape._engine.structure import ModelStructure
from dlcc.landscape.batches import NotFiniteError, is_per_row
from dlcc.landscape.model_state import unchanged
from dlcc.landscape.per_sample import PerSampleBackward

CHUNK_NUMBERS = 1 << 22
"""Numbers of parameters that are copied at a time where no closed form is known."""


def stacked_backward(stacked: StackedModel) -> PerSampleBackward:
    """Pass of all sets, whose rows are those of the first set, of the second, and so on."""
    structure = ModelStructure(stacked.model)
    try:
        done = run_with_hooks(structure, stacked.loss, stacked.first_batch)
    except NotFiniteError as error:
        raise NotFiniteError("the loss of set 0 is not finite; leave it out of params") from error
    n, closed = len(done.losses), defaultdict[int, list[GradientForm]](list)
    for call in _layer_calls(stacked, structure, done):
        for attribute, form in closed_forms_of(call).items():
            closed[id(getattr(call.module, attribute))].append(form)
    gradients = {}
    for name, p in structure.trained.items():
        forms = closed[id(p)]
        if len(forms) != done.entries[id(p)]:  # used elsewhere too, or parametrised
            forms = [_by_vmap(stacked, name, n)]
        like = stacked.params[name].new_empty(0)
        gradients[name] = ParameterGradients(stacked.n * n, p.numel(), like, forms)
    return PerSampleBackward(stacked.n * n, gradients, ())


def _layer_calls(
    stacked: StackedModel, structure: ModelStructure, done: HookedPass
) -> list[LayerCall]:
    """Inputs and output gradients of the calls in `done`, [sets · n, ...]: gradients are those by
    zeros that are added to the outputs."""
    by_rows = [k for k, holds in enumerate(structure.by_rows) if holds]
    calls = dict(zip(by_rows, done.calls, strict=True)) if done.calls else {}
    zeros = {
        k: call.output_gradients.new_zeros(stacked.n, *call.output_gradients.shape).requires_grad_()
        for k, call in calls.items()
        if call.output_gradients is not None
    }

    def losses_and_inputs(
        values: Mapping[str, Tensor], batch: Any, added: dict[int, Tensor]
    ) -> tuple[Tensor, dict[int, Tensor]]:
        inputs, number = {}, itertools.count()

        def tap(module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
            k = next(number)
            if k not in added:
                return output
            inputs[k] = args[0]
            return output + added[k]

        hooks = [layer.register_forward_hook(tap) for layer in structure.layers]
        try:
            return stacked.call(values, batch), inputs
        finally:
            for hook in hooks:
                hook.remove()

    dims = (0, 0 if stacked.own_batches else None, 0)
    with structure.unchanged(), without_vmap_warnings(), torch.enable_grad():
        way = vmap(losses_and_inputs, dims, randomness="same")
        losses, inputs = way(stacked.params, stacked.batch, zeros)
        check_finite(losses)
        gradients = torch.autograd.grad(losses.sum(), list(zeros.values())) if zeros else ()
    return [
        replace(
            calls[k], inputs=inputs[k].detach().flatten(0, 1), output_gradients=own.flatten(0, 1)
        )
        for k, own in zip(zeros, gradients, strict=True)
    ]


def _by_vmap(stacked: StackedModel, name: str, n: int) -> Summed:
    """Rows' contributions to the gradient of a parameter that has no closed form."""
    leaves, spec = tree_flatten(stacked.batch)
    of_first = tree_leaves(stacked.first_batch)
    by_row = [is_per_row(x, n) for x in of_first]
    tensors = [isinstance(x, Tensor) for x in leaves]
    size = sum(p[0].numel() for p in stacked.params.values())

    def loss(value: Tensor, others: Mapping[str, Tensor], row: list[Any]) -> Tensor:
        alone = [x.unsqueeze(0) if own else x for x, own in zip(row, by_row, strict=True)]
        found = stacked.call({**others, name: value}, tree_unflatten(alone, spec))
        return found.squeeze(0)

    def some(index: Tensor) -> Tensor:
        at, row = index // n, index % n
        values = {key: p[at] for key, p in stacked.params.items()}
        parts, dims = [], []
        for x, tensor, own in zip(leaves, tensors, by_row, strict=True):
            given = x[at] if tensor and stacked.own_batches else x
            if own:
                given = given[torch.arange(len(at)), row] if stacked.own_batches else x[row]
            parts.append(given)
            dims.append(0 if tensor and (own or stacked.own_batches) else None)
        way = vmap(grad(loss), (0, 0, dims), randomness="different")
        found: Tensor = way(values.pop(name), values, parts)
        return found.reshape(len(at), -1)

    def rows(part: slice) -> Tensor:
        every = torch.arange(stacked.n * n)[part]
        with torch.no_grad(), unchanged(stacked.model), without_vmap_warnings():
            return torch.cat(
                [some(index) for index in torch.split(every, max(1, CHUNK_NUMBERS // size))]
            )

    return Summed(rows)
