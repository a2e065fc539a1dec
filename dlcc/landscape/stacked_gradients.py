"""Gradients of each row of a batch at many sets of one net's parameters, from one pass of all.

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

from dlcc.landscape.batches import NotFiniteError, PerSampleLoss, is_per_row
from dlcc.landscape.fallback import without_vmap_warnings
from dlcc.landscape.hooks import HookedPass, run_with_hooks
from dlcc.landscape.layers import GradientForm, LayerCall, Summed, closed_forms_of
from dlcc.landscape.per_sample import PerSampleBackward
from dlcc.landscape.rows import ParameterGradients
from dlcc.landscape.stacked import StackedModel, check_finite
from dlcc.landscape.structure import ModelStructure, unchanged

_CHUNK = 1 << 22
"""Numbers of parameters that are copied at a time where no closed form is known."""


def per_sample_gradient_norms_stacked(
    model: nn.Module,
    params: Mapping[str, Tensor],
    per_sample_loss: PerSampleLoss,
    batch: Any,
    *,
    own_batches: bool = False,
) -> Tensor:
    """The exact 2-norm of each row's gradient, [sets, n].

    Args:
        model: its architecture, its buffers, and its own values of parameters that `params` leaves
            out; it stays as it is.
        params: name -> [sets, *shape]; gradients are with respect to these.
        per_sample_loss: of the model and a batch, the loss of each row, [n].
        batch: n rows, the same for all sets; or a batch for each, its tensors [sets, n, ...].
        own_batches: whether it is the latter.

    Raises:
        ValueError: `params` does not fit the model, a layer in training has buffers to write to, as
            a batch normalisation, the loss is not one finite number a row, or it takes a gradient
            of the model itself, as a gradient penalty does.
    """
    stacked = StackedModel.of(model, params, per_sample_loss, batch, own_batches)
    return _backward(stacked).norms().view(stacked.n, -1)


def per_sample_gradients_stacked(
    model: nn.Module,
    params: Mapping[str, Tensor],
    per_sample_loss: PerSampleLoss,
    batch: Any,
    *,
    project: Tensor,
    own_batches: bool = False,
) -> Tensor:
    """Each row's gradient times `project` [parameters, k], the same for all sets, [sets, n, k].

    The rows of `project` are in the order of `model.parameters()`.

    Raises:
        ValueError: as for `per_sample_gradient_norms_stacked`, or `project` has another number of
            rows.
    """
    stacked = StackedModel.of(model, params, per_sample_loss, batch, own_batches)
    found = _backward(stacked).projected(project)
    return found.view(stacked.n, -1, found.shape[1])


def _backward(stacked: StackedModel) -> PerSampleBackward:
    """A pass of all sets, whose rows are those of the first set, of the second, and so on."""
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
    """How rows add to the gradient of a parameter that no closed form is known of."""
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
            return torch.cat([some(index) for index in torch.split(every, max(1, _CHUNK // size))])

    return Summed(rows)
