"""Parameters as one vector [size], gradients with respect to them, and checks of what is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.landscape.batches import NotFiniteError, described

Closure = Callable[[], Tensor]
"""Loss as a scalar, of no arguments."""


def differentiable_gradients(loss: Tensor, params: Sequence[Tensor]) -> list[Tensor]:
    """Gradients of a loss, which can be derived once more.

    Args:
        loss: scalar with a graph.
        params: parameters that all have a part in it.

    Returns:
        A gradient of each parameter's shape.

    Raises:
        ValueError: the loss is no finite scalar, or does not depend on one of the parameters.
    """
    value, params = check_loss(loss), check_params(params)
    if not value.requires_grad:
        return require_gradients([None] * len(params), params)
    found = torch.autograd.grad(value, params, create_graph=True, allow_unused=True)
    return require_gradients(found, params)


def gradients_vjp(gradients: Sequence[Tensor], params: Sequence[Tensor], vector: Tensor) -> Tensor:
    """Product of a vector [size] with the Jacobian of `gradients` from the left, [size]."""
    parts = unflatten(vector, params)
    curved = [(g, part) for g, part in zip(gradients, parts, strict=True) if g.requires_grad]
    if not curved:  # all of them constant
        return torch.zeros_like(vector)
    found = torch.autograd.grad(
        [g for g, _ in curved],
        list(params),
        [part for _, part in curved],
        retain_graph=True,
        allow_unused=True,
    )
    return flatten(found, params)


def unflatten(vector: Tensor, params: Sequence[Tensor]) -> list[Tensor]:
    """Vector [size] as pieces of the parameters' shapes; ValueError for one of another size."""
    stops = np.cumsum([p.numel() for p in params])
    if vector.shape != (stops[-1],):
        raise ValueError(
            f"the vector has the shape {list(vector.shape)}; expected [{stops[-1]}], the numbers "
            "in params"
        )
    parts = zip(stops, params, strict=True)
    return [vector[end - p.numel() : end].view_as(p).to(p.dtype) for end, p in parts]


def flatten(parts: Sequence[Tensor | None], params: Sequence[Tensor]) -> Tensor:
    """Pieces of the parameters' shapes as a vector [size]; None is 0."""
    flat = [
        torch.zeros_like(p).flatten() if part is None else part.flatten()
        for part, p in zip(parts, params, strict=True)
    ]
    return torch.cat(flat).to(vector_like(params))


def vector_like(params: Sequence[Tensor]) -> Tensor:
    """Empty tensor of the device and type of vectors [size]: a type that holds the numbers of all
    parameters, at least single precision, in which a basis stays orthogonal."""
    dtype = reduce(torch.promote_types, {p.dtype for p in params}, torch.float32)
    return params[0].new_empty(0, dtype=dtype)


def check_params(params: Sequence[Tensor], *, trained: bool = True) -> list[Tensor]:
    """Parameters as a list, or a ValueError that says what is the matter with them; ones that do
    not require a gradient are fine unless `trained`."""
    if isinstance(params, Tensor | nn.Module):
        raise ValueError(
            f"params is {described(params)}; expected a list of tensors, such as "
            "list(model.parameters())"
        )
    params = list(params)
    for k, p in enumerate(params):
        if not isinstance(p, Tensor):
            raise ValueError(f"params[{k}] is {described(p)}; expected a tensor")
    if not params:
        raise ValueError("params is empty; give at least one parameter")
    devices = sorted({str(p.device) for p in params})
    if len(devices) > 1:
        raise ValueError(f"params lie on {', '.join(devices)}; move them to one device first")
    if devices == ["meta"]:
        raise ValueError("params lie on meta, which holds no numbers; move them to another device")
    for k, p in enumerate(params):
        if trained and not p.requires_grad:
            raise ValueError(
                f"params[{k}] of shape {list(p.shape)} does not require a gradient; leave it out"
            )
    return params


def called(loss: Closure) -> Any:
    """Value that a closure gives, or a ValueError where it is none."""
    if not callable(loss):
        raise ValueError(
            f"the loss is {described(loss)}; expected a function without arguments that gives a "
            "scalar, such as lambda: criterion(model(x), y)"
        )
    return loss()


def check_loss(value: Any) -> Tensor:
    """Loss as a scalar [], or a ValueError that says what was given instead."""
    scalar = check_scalar(value)
    if not torch.isfinite(scalar):
        raise NotFiniteError(f"the loss is {scalar.item()}; measure before the training diverges")
    return scalar


def check_scalar(value: Any) -> Tensor:
    """Loss as a scalar [], finite or not, or a ValueError that says what was given instead."""
    if not isinstance(value, Tensor) or value.numel() != 1:
        given = described(value)
        raise ValueError(f"the loss is {given}; expected a scalar tensor: take its mean or sum")
    scalar: Tensor = value.reshape(())
    return scalar


def require_gradients(gradients: Sequence[Tensor | None], params: Sequence[Tensor]) -> list[Tensor]:
    """Gradients, or a ValueError that names the first parameter that has none."""
    found = []
    for k, (gradient, p) in enumerate(zip(gradients, params, strict=True)):
        if gradient is None:
            raise ValueError(
                f"the loss does not depend on params[{k}] of shape {list(p.shape)}; leave it out"
            )
        found.append(gradient)
    return found
