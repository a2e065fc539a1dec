"""Many sets of one net's parameters, as an ensemble holds them, to be measured all at once.

Parameters are tensors [sets, *shape] under the names of `model.named_parameters()`, as
`torch.func.stack_module_state` stacks them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.utils._pytree import tree_leaves, tree_map

from dlcc.landscape._engine.fallback import functional_call_tied, without_vmap_warnings
from dlcc.landscape._engine.vectors import (
    differentiable_gradients,
    flatten,
    gradients_vjp,
    unflatten,
)
from dlcc.landscape.batches import NotFiniteError
from dlcc.landscape.linear_operator import LinearOperator
from dlcc.landscape.model_state import unchanged

Loss = Callable[[nn.Module, Any], Tensor]
"""Function of a model and a batch that gives a scalar or the loss of each row."""


@dataclass(frozen=True)
class StackedModel:
    """Net with many sets of its parameters, and the loss of each set."""

    model: nn.Module
    """Copy of the net with the first set in it, that trains what the sets hold and nothing else."""
    params: dict[str, Tensor]
    """Tensors [sets, *shape] in the order of `model.named_parameters()`, without a graph."""
    loss: Loss
    batch: Any
    own_batches: bool
    n: int

    @classmethod
    def of(
        cls, model: nn.Module, params: Mapping[str, Tensor], loss: Loss, batch: Any, own: bool
    ) -> StackedModel:
        """Stack a model for its sets of parameters; a ValueError says what does not go together."""
        n = _check_params(params, model)
        _check_writes(model)
        if own:
            _check_own(batch, n)
        first = copy.deepcopy(model)
        with torch.no_grad():
            for name, p in first.named_parameters():
                p.requires_grad_(name in params)
                if name in params:
                    p.copy_(params[name][0])
        names = [name for name, p in first.named_parameters() if p.requires_grad]
        ordered = {name: params[name].detach() for name in names}
        return cls(first, ordered, loss, batch, own, n)

    @property
    def first_batch(self) -> Any:
        """Batch of the first set."""
        if not self.own_batches:
            return self.batch
        return tree_map(lambda x: x[0] if isinstance(x, Tensor) else x, self.batch)

    def call(self, values: Mapping[str, Tensor], batch: Any) -> Tensor:
        """Evaluate the loss with the parameters `values` in the model."""
        whole = _Whole(self.model, self.loss)
        named = {f"model.{name}": value for name, value in values.items()}
        return functional_call_tied(whole, named, batch)

    def hessian(self) -> LinearOperator:
        """Products of each set's Hessian with its own vector, [sets, size]: since no set's loss
        depends on another's parameters, those of the Hessian of all losses' sum."""
        leaves = {name: p.clone().requires_grad_() for name, p in self.params.items()}
        dims = (0, 0 if self.own_batches else None)
        with unchanged(self.model), without_vmap_warnings(), torch.enable_grad():
            losses = vmap(self.call, dims, randomness="same")(leaves, self.batch)
            if losses.numel() != self.n:
                raise ValueError(
                    f"the loss is a tensor {list(losses.shape[1:])}; expected a scalar "
                    "tensor: take its mean or sum"
                )
            check_finite(losses)
            values = list(leaves.values())
            gradients = differentiable_gradients(losses.sum(), values)

        def matvec(rows: Tensor) -> Tensor:
            widths = [p[0].numel() for p in values]
            flat = flatten(list(torch.split(rows, widths, dim=1)), values)
            found = unflatten(gradients_vjp(gradients, values, flat), values)
            return torch.cat([part.reshape(self.n, -1) for part in found], dim=1)

        return LinearOperator(sum(p[0].numel() for p in values), values[0], matvec)


class _Whole(nn.Module):
    """Module of a loss, so that its model's parameters can be put in from outside."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, batch: Any) -> Tensor:
        return self.loss(self.model, batch)


# --- what is given --------------------------------------------------------------------------------


def _check_params(params: Mapping[str, Tensor], model: nn.Module) -> int:
    """Number of sets, or a ValueError that says what is the matter with the parameters."""
    shapes = {name: list(p.shape) for name, p in model.named_parameters()}
    if not params:
        raise ValueError("params is empty; give at least one parameter, [sets, *shape]")
    for name, given in params.items():
        if name not in shapes:
            raise ValueError(
                f"params has {name!r}, which is no parameter of the model; it has "
                + ", ".join(shapes)
            )
        if given.ndim == 0 or list(given.shape[1:]) != shapes[name] or len(given) == 0:
            expected = ", ".join(["sets", *map(str, shapes[name])])
            raise ValueError(f"{name} has the shape {list(given.shape)}; expected [{expected}]")
        if not given.is_floating_point():
            raise ValueError(f"{name} is of type {given.dtype}; expected floating-point numbers")
    counts = {name: len(given) for name, given in params.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(f"params has different numbers of sets: {counts}")
    return next(iter(counts.values()))


def _check_writes(model: nn.Module) -> None:
    for name, module in model.named_modules():
        if module.training and next(module.buffers(recurse=False), None) is not None:
            raise ValueError(
                f"the layer {name!r} ({type(module).__name__}) is in training and has buffers to "
                "write to, which sets would share; call eval() on the model first"
            )


def _check_own(batch: Any, n: int) -> None:
    for x in tree_leaves(batch):
        if isinstance(x, Tensor) and (x.ndim < 2 or len(x) != n):
            raise ValueError(
                f"a tensor of the batch has the shape {list(x.shape)}; with own_batches, expected "
                f"[{n}, rows, ...]"
            )


def check_finite(losses: Tensor) -> None:
    """Losses [sets, ...], or a NotFiniteError that names the sets."""
    bad = ~losses.isfinite().reshape(len(losses), -1).all(dim=1)
    if bad.any():
        listed = ", ".join(map(str, bad.nonzero().flatten().tolist()))
        raise NotFiniteError(f"the loss of set {listed} is not finite; leave it out of params")
