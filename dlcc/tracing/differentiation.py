"""Differentiations of a step: every call of `backward` and `autograd.grad`, seen as it is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor


class Watcher(Protocol):
    """Watcher that is told of the differentiations of a step."""

    def is_weight(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is a weight of a player."""

    def quiet(self) -> AbstractContextManager[None]:
        """Give a context in which nothing is to be told."""

    def differentiated(self, tensors: list[Any], seeds: list[Any], inputs: Any) -> None:
        """Take losses that are about to be differentiated in weights.

        Args:
            tensors: Losses.
            seeds: Gradients that each begins with; None for ones.
            inputs: Weights; None for all.
        """

    def left(self) -> None:
        """Take notice that a differentiation has left its gradients in the weights."""

    def taken(self, outputs: list[Any], inputs: list[Any], seeds: list[Any], made: Any) -> None:
        """Take the gradients of outputs in inputs that are no weights."""

    def transformed(self) -> None:
        """Take notice that a transform of torch.func is differentiated through."""


@contextmanager
def watched_differentiation(watcher: Watcher) -> Iterator[None]:
    """See every call of `backward` and of `autograd.grad` in the block.

    Args:
        watcher: What is told of each.
    """
    methods = (torch.Tensor.backward, torch.autograd.backward, torch.autograd.grad)
    tensor_backward, backward, grad = methods

    def of_tensor(self_: Tensor, gradient: Any = None, *args: Any, **kwargs: Any) -> None:
        watcher.differentiated([self_], [gradient], kwargs.get("inputs"))
        with watcher.quiet():
            tensor_backward(self_, gradient, *args, **kwargs)  # type: ignore[no-untyped-call]
        watcher.left()

    def of_tensors(tensors: Any, grad_tensors: Any = None, *args: Any, **kwargs: Any) -> None:
        all_of = listed(tensors)
        watcher.differentiated(all_of, _seeds(grad_tensors, all_of), kwargs.get("inputs"))
        with watcher.quiet():
            backward(tensors, grad_tensors, *args, **kwargs)
        watcher.left()

    def of_outputs(
        outputs: Any, inputs: Any, grad_outputs: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        all_of, at = listed(outputs), listed(inputs)
        seeds = _seeds(grad_outputs, all_of)
        weights = [watcher.is_weight(tensor) for tensor in at]
        if _is_transformed() and not (all(weights) and _is_plain_grad()):
            watcher.transformed()
        if any(weights):
            watcher.differentiated(all_of, seeds, at)
        with watcher.quiet():
            made = grad(outputs, inputs, grad_outputs, *args, **kwargs)
        if not any(weights):
            watcher.taken(all_of, at, seeds, made)
        return made

    torch.Tensor.backward = of_tensor  # type: ignore[method-assign, assignment]
    torch.autograd.backward = of_tensors
    torch.autograd.grad = of_outputs
    try:
        yield
    finally:
        torch.Tensor.backward, torch.autograd.backward, torch.autograd.grad = methods  # type: ignore[method-assign]


def listed(values: Any) -> list[Any]:
    """Put a single tensor into a list."""
    return [values] if isinstance(values, Tensor) else list(values)


def _seeds(given: Any, tensors: list[Any]) -> list[Any]:
    return [None] * len(tensors) if given is None else listed(given)


def _is_transformed() -> bool:
    """Whether a transform of torch.func is under way."""
    return torch._C._functorch.peek_interpreter_stack() is not None


def _is_plain_grad() -> bool:
    """Whether the only transform of torch.func that is under way is one `grad`, which is a gradient
    as any other."""
    (*others, last) = torch._C._functorch.get_interpreter_stack()
    return not others and last.key() == torch._C._functorch.TransformType.Grad
