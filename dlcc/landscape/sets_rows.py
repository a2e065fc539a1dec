"""Gradients of each row of a batch at many sets of one net's parameters, from one pass of all.

Inputs and slopes of a layer's calls are those of sets · n rows, which closed forms do not tell from
rows of one net; what has no closed form goes through `torch.func.vmap` over sets and rows.
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

from dlcc.landscape.anatomy import Anatomy, unchanged
from dlcc.landscape.batches import NotFiniteError, PerSampleLoss, is_by_row
from dlcc.landscape.fallback import without_advice
from dlcc.landscape.layers import Form, Sum, Use, forms_of
from dlcc.landscape.per_sample import RowPass
from dlcc.landscape.rows import RowGradients
from dlcc.landscape.sets import Sets, check_finite
from dlcc.landscape.taps import Pass, tapped

CHUNK_NUMBERS = 1 << 22
"""Numbers of parameters that are copied at a time where no closed form is known."""


def per_sample_gradient_norms_of_sets(
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
    sets = Sets.of(model, params, per_sample_loss, batch, own_batches)
    return _row_pass(sets).norms().view(sets.n, -1)


def per_sample_gradients_of_sets(
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
        ValueError: as for `per_sample_gradient_norms_of_sets`, or `project` has another number of
            rows.
    """
    sets = Sets.of(model, params, per_sample_loss, batch, own_batches)
    found = _row_pass(sets).projected(project)
    return found.view(sets.n, -1, found.shape[1])


def _row_pass(sets: Sets) -> RowPass:
    """A pass of all sets, whose rows are those of the first set, of the second, and so on."""
    anatomy = Anatomy(sets.model)
    try:
        done = tapped(anatomy, sets.loss, sets.first_batch)
    except NotFiniteError as error:
        raise NotFiniteError("the loss of set 0 is not finite; leave it out of params") from error
    n, closed = len(done.losses), defaultdict[int, list[Form]](list)
    for use in _uses(sets, anatomy, done):
        for attribute, form in forms_of(use).items():
            closed[id(getattr(use.module, attribute))].append(form)
    gradients = {}
    for name, p in anatomy.trained.items():
        forms = closed[id(p)]
        if len(forms) != done.entries[id(p)]:  # used elsewhere too, or parametrised
            forms = [_by_vmap(sets, name, n)]
        like = sets.params[name].new_empty(0)
        gradients[name] = RowGradients(sets.n * n, p.numel(), like, forms)
    return RowPass(sets.n * n, gradients, ())


def _uses(sets: Sets, anatomy: Anatomy, done: Pass) -> list[Use]:
    """What goes in and comes back at the calls in `done`, [sets · n, ...]: slopes are those by
    zeros that are added to outputs."""
    by_rows = [k for k, holds in enumerate(anatomy.by_rows) if holds]
    calls = dict(zip(by_rows, done.uses, strict=True)) if done.uses else {}
    zeros = {
        k: use.slopes.new_zeros(sets.n, *use.slopes.shape).requires_grad_()
        for k, use in calls.items()
        if use.slopes is not None
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

        hooks = [layer.register_forward_hook(tap) for layer in anatomy.layers]
        try:
            return sets.call(values, batch), inputs
        finally:
            for hook in hooks:
                hook.remove()

    dims = (0, 0 if sets.own_batches else None, 0)
    with anatomy.unchanged(), without_advice(), torch.enable_grad():
        way = vmap(losses_and_inputs, dims, randomness="same")
        losses, inputs = way(sets.params, sets.batch, zeros)
        check_finite(losses)
        slopes = torch.autograd.grad(losses.sum(), list(zeros.values())) if zeros else ()
    return [
        replace(calls[k], inputs=inputs[k].detach().flatten(0, 1), slopes=own.flatten(0, 1))
        for k, own in zip(zeros, slopes, strict=True)
    ]


def _by_vmap(sets: Sets, name: str, n: int) -> Sum:
    """How rows add to the gradient of a parameter that no closed form is known of."""
    leaves, spec = tree_flatten(sets.batch)
    of_first = tree_leaves(sets.first_batch)
    by_row = [is_by_row(x, n) for x in of_first]
    tensors = [isinstance(x, Tensor) for x in leaves]
    size = sum(p[0].numel() for p in sets.params.values())

    def loss(value: Tensor, others: Mapping[str, Tensor], row: list[Any]) -> Tensor:
        alone = [x.unsqueeze(0) if own else x for x, own in zip(row, by_row, strict=True)]
        found = sets.call({**others, name: value}, tree_unflatten(alone, spec))
        return found.squeeze(0)

    def some(index: Tensor) -> Tensor:
        at, row = index // n, index % n
        values = {key: p[at] for key, p in sets.params.items()}
        parts, dims = [], []
        for x, tensor, own in zip(leaves, tensors, by_row, strict=True):
            given = x[at] if tensor and sets.own_batches else x
            if own:
                given = given[torch.arange(len(at)), row] if sets.own_batches else x[row]
            parts.append(given)
            dims.append(0 if tensor and (own or sets.own_batches) else None)
        way = vmap(grad(loss), (0, 0, dims), randomness="different")
        found: Tensor = way(values.pop(name), values, parts)
        return found.reshape(len(at), -1)

    def rows(part: slice) -> Tensor:
        every = torch.arange(sets.n * n)[part]
        with torch.no_grad(), unchanged(sets.model), without_advice():
            return torch.cat(
                [some(index) for index in torch.split(every, max(1, CHUNK_NUMBERS // size))]
            )

    return Sum(rows)
