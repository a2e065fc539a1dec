"""Rerun of a recorded step outside of the sandbox, by torch's own operations.

Nothing that code inside says of its loss is believed: the operations are run again from leaves, and
the loss, and the gradient of every weight that an optimiser used, must come out as they were told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from dlcc.errors import TraceError
from dlcc.tracing.graph import (
    GRADIENT,
    OPAQUE,
    DType,
    Leaf,
    Operation,
    StepGraph,
    Update,
    Use,
    gradient_name,
    left_name,
    tensor_name,
)
from dlcc.tracing.operators import CHANCE, PURE, UNSET, base_name

LARGEST = 2**26
"""Numbers that a result may hold."""
_TURNED = "the gradient that its optimiser used is that of its loss turned around"
_ZEROED = "its optimiser used a gradient of 0: that of its loss was zeroed before the step"
_VANISHED = "its optimiser used a gradient of 0, and that of its loss is not"
_ROUNDING = 1e-4  # of gradients, relative to the largest: another order of float32 sums


class Rerun:
    """Values of a graph's nodes, computed when they are first asked for.

    Args:
        graph: Recorded step.
        leaves: Leaf's index -> its numbers.
        given: Node -> value to take instead of what its operation makes, which requires no
            gradient.
        exact: Whether all real numbers become float64, whatever the step computed in.

    Raises:
        TraceError: By `value`: an operation is not known, fails, or makes too much.

    >>> import torch
    >>> from dlcc.tracing.recorder import StepRecorder
    >>> model = torch.nn.Linear(2, 1)
    >>> with StepRecorder({"model": model}) as recorder:
    ...     loss = model(torch.ones(4, 2)).square().mean()
    ...     loss.backward()
    >>> graph, tensors = recorder.graph()
    >>> again = Rerun(graph, leaves_of(graph, tensors)).value(graph.roots[0].node)
    >>> bool(again == loss)
    True
    """

    def __init__(
        self,
        graph: StepGraph,
        leaves: Mapping[int, Tensor],
        given: Mapping[int, Tensor] | None = None,
        *,
        exact: bool = False,
    ) -> None:
        self._graph, self._leaves = graph, leaves
        self._exact = exact
        self._made: dict[int, Tensor] = dict(given or {})
        self._given = frozenset(self._made)

    def value(self, index: int) -> Tensor:
        """Compute the value of a node."""
        stack = [index]
        while stack:  # a stack of its own: chains of operations are longer than Python recurses
            top = stack[-1]
            missing = [i for i in self._needs(top) if i not in self._made]
            if missing:
                stack += missing
            else:
                stack.pop()
                if top not in self._made:
                    self._made[top] = self._make(top)
        return self._made[index]

    def _needs(self, index: int) -> list[int]:
        node = self._graph.nodes[index]
        return (
            [] if index in self._made or isinstance(node, Leaf) else [u.node for u in node.uses()]
        )

    def _make(self, index: int) -> Tensor:
        node = self._graph.nodes[index]
        if isinstance(node, Leaf):
            value = self._real(self._leaves[index])
            return value.clone().requires_grad_() if _differentiable(node, value) else value
        if node.name == GRADIENT:
            return self._gradient(node)
        return self._run(node)

    def _real(self, value: Tensor) -> Tensor:
        return value.double() if self._exact and value.is_floating_point() else value

    def _argument(self, value: Any) -> Any:
        if isinstance(value, Use):
            return self._used(value)
        if isinstance(value, list):
            return [self._argument(item) for item in value]
        if isinstance(value, DType):
            kind: torch.dtype = getattr(torch, value.name)
            return torch.float64 if self._exact and kind.is_floating_point else kind
        return value

    def _used(self, use: Use) -> Tensor:
        """Take a value as the step used it: with gradients flowing back or not.

        What required a gradient there and does not here is where the step made a leaf of it, by
        `requires_grad_`; from then on it is one here.
        """
        value = self._made[use.node]
        if not use.grad:
            return value.detach()
        if not value.requires_grad and value.is_floating_point():
            value = self._made[use.node] = value.detach().requires_grad_()
        return value

    def _run(self, node: Operation) -> Tensor:
        name = base_name(node.name)
        if name not in PURE or name in UNSET | CHANCE:
            raise TraceError(f"the operation {node.name} is not known")
        args = [self._argument(value) for value in node.args]
        kwargs = {key: self._argument(value) for key, value in node.kwargs.items()}
        try:
            function = _overload(node.name)
            args, kwargs = _unshared(function, args, kwargs)
            _check_size(function, args, kwargs)
            made = tree_flatten(function(*args, **kwargs))[0]
            tensors = [value for value in made if isinstance(value, Tensor)]
            return self._real(tensors[node.output])
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            text = str(error).partition("\n")[0]
            raise TraceError(f"{node.name} cannot be run again ({text:.120})") from None

    def _gradient(self, node: Operation) -> Tensor:
        """Differentiate within the step; what it differentiates in has become a leaf by its use."""
        outputs, inputs, seeds = ([self._argument(v) for v in values] for values in node.args)
        if any(use.node in self._given for use in node.args[0]):
            raise TraceError("a gradient of an output that was put in by hand")
        try:
            found = torch.autograd.grad(
                outputs,
                inputs,
                [s if s is None or isinstance(s, Tensor) else None for s in seeds],
                create_graph=True,
                allow_unused=True,
            )
        except (RuntimeError, TypeError, ValueError) as error:
            text = str(error).partition("\n")[0]
            raise TraceError(f"a gradient cannot be taken again ({text:.120})") from None
        wanted = found[node.output] if node.output < len(found) else None
        if wanted is None:
            raise TraceError("a gradient of nothing")
        return wanted


@dataclass(frozen=True)
class Checked:
    """Outcome of running a step again outside: what disagrees with what was told."""

    updates: tuple[Update, ...]
    """Optimisers' steps, each with the roots whose gradients it used: of those since the gradients
    were last zero the newest ones that explain them."""
    scales: tuple[float | None, ...]
    """Factors, one for each optimiser's step, from the losses' gradient to the one that it used: 1
    as a rule, less where it was clipped; None where they are not proportional."""
    faults: tuple[str, ...]
    """Faults, one for each optimiser's step: what does not come out as told; empty for none."""
    unknown: tuple[str, ...]
    """Reasons, one for each optimiser's step, why nothing can be told of it; empty for none."""


def leaves_of(graph: StepGraph, tensors: Mapping[str, Tensor]) -> dict[int, Tensor]:
    """Sort out the leaves' numbers.

    Raises:
        TraceError: One is missing.
    """
    found = {}
    for index, node in enumerate(graph.nodes):
        if isinstance(node, Leaf):
            if tensor_name(index) not in tensors:
                raise TraceError("the recorded step lacks the numbers of a leaf")
            found[index] = tensors[tensor_name(index)]
    return found


def check_step(
    graph: StepGraph,
    leaves: Mapping[int, Tensor],
    gradients: Mapping[str, Tensor],
) -> Checked:
    """Run a step again and compare the gradients that optimisers used with those of its losses.

    Args:
        graph: Recorded step.
        leaves: Leaf's index -> its numbers.
        gradients: Gradients by `gradient_name`, as they were told.

    Returns:
        Factors and what is wrong.

    Raises:
        TraceError: The step cannot be run again.
    """
    if graph.transformed:
        raise TraceError("the step uses transforms of torch.func, whose losses are not seen")
    updates, scales, faults, unknown = [], [], [], []
    for number, update in enumerate(graph.updates):
        tried = [replace(update, roots=update.roots[k:]) for k in range(max(1, len(update.roots)))]
        found = [_check_update(graph, leaves, gradients, number, each) for each in tried]
        best = next((k for k, (_, fault) in enumerate(found) if not fault), 0)
        updates.append(tried[best])
        scales.append(found[best][0])
        opaque, fault = "", found[best][1]
        if fault:
            opaque = _opaque(graph, update)
            left = any(_is_left(graph, leaves, gradients, number, t) for t in tried)
            if fault == _ZEROED:  # a gradient that vanished within backward is rounding, or a part
                opaque = opaque or ("" if left else _VANISHED)
            elif not opaque and left:
                if fault == _TURNED:  # by the code itself: it climbs
                    updates[-1] = replace(updates[-1], maximises=not updates[-1].maximises)
                    fault = ""
                else:
                    opaque = "the code changes its gradients before the optimiser's step"
        faults.append("" if opaque else fault)
        unknown.append(opaque)
    return Checked(tuple(updates), tuple(scales), tuple(faults), tuple(unknown))


def _is_left(
    graph: StepGraph,
    leaves: Mapping[int, Tensor],
    gradients: Mapping[str, Tensor],
    number: int,
    update: Update,
) -> bool:
    """Whether the gradients that the last differentiation left are those of the losses."""
    names = [left_name(number, name) for name in update.parameters]
    if not update.roots or not names or not all(name in gradients for name in names):
        return False
    left = [gradients[name].double().flatten() for name in names]
    mine = torch.cat(_gradients(graph, leaves, update.roots, update.parameters, left))
    used = torch.cat(left)
    if not bool(torch.isfinite(used).all() and torch.isfinite(mine).all()):
        return False
    largest = float(used.abs().max())
    return float((used - mine).abs().max()) <= _ROUNDING * max(largest, 1e-30) * looseness(graph)


def _opaque(graph: StepGraph, update: Update) -> str:
    """Reason why the gradients of a step need not follow from the record; empty where they must."""
    roots = [graph.roots[root] for root in update.roots]
    if any(root.own_gradient for root in roots):
        return "the code computes a part of its gradient itself, by a function or a hook of its own"
    behind = graph.ancestors([root.node for root in roots])
    for index in sorted(behind):
        leaf = graph.nodes[index]
        if isinstance(leaf, Leaf) and leaf.kind == OPAQUE:
            return f"its loss is computed by {leaf.name or 'an operation that was not seen'}"
    return ""


def _check_update(
    graph: StepGraph,
    leaves: Mapping[int, Tensor],
    gradients: Mapping[str, Tensor],
    number: int,
    update: Update,
) -> tuple[float | None, str]:
    if not update.roots or not update.parameters:
        return None, "its optimiser steps, and no loss was differentiated for it"
    told = [gradients[gradient_name(number, name)].double().flatten() for name in update.parameters]
    mine = torch.cat(_gradients(graph, leaves, update.roots, update.parameters, told))
    used = torch.cat(told)
    if not bool(torch.isfinite(used).all()) or not bool(torch.isfinite(mine).all()):
        return None, "" if bool(torch.isfinite(used).all() == torch.isfinite(mine).all()) else (
            "the gradient that its optimiser used is not that of its loss: one is not finite"
        )
    size = float(mine @ mine)
    if size == 0:
        return (
            (1.0, "")
            if float(used.abs().max()) == 0
            else (None, "the gradient that its optimiser used is not that of its loss, which is 0")
        )
    if float(used.abs().max()) == 0:
        return None, _ZEROED
    scale = float(used @ mine) / size
    off = float((used - scale * mine).abs().max())
    if off > _ROUNDING * max(float(used.abs().max()), 1e-30) * looseness(graph):
        return None, "the gradient that its optimiser used is not that of its loss"
    if scale < 0:
        return scale, _TURNED
    if scale > 1 + _ROUNDING:
        return scale, "the gradient that its optimiser used is more than that of its loss"
    return (1.0 if math.isclose(scale, 1.0, rel_tol=1e-4) else scale), ""


def _gradients(
    graph: StepGraph,
    leaves: Mapping[int, Tensor],
    roots: tuple[int, ...],
    parameters: tuple[str, ...],
    shapes: list[Tensor],
) -> list[Tensor]:
    """Sum, over roots, the gradients of weights, flat."""
    total = {name: torch.zeros_like(s) for name, s in zip(parameters, shapes, strict=True)}
    for number in roots:
        root = graph.roots[number]
        again = Rerun(graph, leaves)
        loss = again.value(root.node)
        weights = {
            i: leaf.name
            for i in sorted(graph.ancestors([root.node]))
            if isinstance(leaf := graph.nodes[i], Leaf)
            and leaf.name in total
            and again.value(i).requires_grad
        }
        if not loss.requires_grad or not weights:
            continue
        found = torch.autograd.grad(
            root.weight * loss.sum(), [again.value(i) for i in weights], allow_unused=True
        )
        for name, gradient in zip(weights.values(), found, strict=True):
            if gradient is not None:
                total[name] += gradient.double().flatten()
    return list(total.values())


def looseness(graph: StepGraph) -> float:
    """Give the factor on the rounding that is let pass: half precision rounds by 2⁻⁸."""
    halves = ("bfloat16", "float16")
    for node in graph.nodes:
        if isinstance(node, Operation):
            for value in (*node.args, *node.kwargs.values()):
                if isinstance(value, DType) and value.name in halves:
                    return 300.0
    return 1.0


def _differentiable(node: Leaf, value: Tensor) -> bool:
    return node.grad and value.is_floating_point()


def _overload(name: str) -> Any:
    """Find the overload that a recorded name stands for; one whose output is given has no place."""
    library, _, rest = name.partition("::")
    plain, _, overload = rest.partition(".")
    packet = getattr(getattr(torch.ops, library), plain)
    return getattr(packet, overload or "default")


def _unshared(
    function: Any, args: list[Any], kwargs: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Copy what an operation writes into, so that the values of other nodes stay as they are."""
    declared = function._schema.arguments
    written = {a.name for a in declared if a.alias_info is not None and a.alias_info.is_write}
    if "batch_norm" in function._schema.name:  # writes moments, which its schema may not say
        written |= {"running_mean", "running_var"}
    names = [a.name for a in declared]

    def copied(name: str, value: Any) -> Any:
        return value.clone() if name in written and isinstance(value, Tensor) else value

    return (
        [copied(name, value) for name, value in zip(names, args, strict=False)],
        {name: copied(name, value) for name, value in kwargs.items()},
    )


def _check_size(function: Any, args: list[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse what would make more than a step can need, before it is made."""
    sizes = [a for a in (*args, *kwargs.values()) if isinstance(a, list)]
    numbers = [
        math.prod(abs(n) for n in size)
        for size in sizes
        if size and all(isinstance(n, int) and not isinstance(n, bool) for n in size)
    ]
    tensors = [t.numel() for t in tree_flatten((args, dict(kwargs)))[0] if isinstance(t, Tensor)]
    if max(numbers, default=0) > LARGEST or sum(tensors) > 4 * LARGEST:
        raise ValueError("it makes too much")
    if sum(tensors) > 2**12:
        with torch.device("meta"):
            shapes = _on_meta(function, args, kwargs)
        if any(t.numel() > LARGEST for t in shapes):
            raise ValueError("it makes too much")


def _on_meta(function: Any, args: list[Any], kwargs: Mapping[str, Any]) -> list[Tensor]:
    """Results of an operation on tensors without numbers."""

    def empty(value: Any) -> Any:
        if isinstance(value, Tensor):
            return torch.empty_strided(
                value.shape, value.stride(), dtype=value.dtype, device="meta"
            )
        return [empty(item) for item in value] if isinstance(value, list) else value

    try:
        made = function(*(empty(a) for a in args), **{k: empty(v) for k, v in kwargs.items()})
    except (NotImplementedError, RuntimeError):
        return []  # sizes that depend on numbers: no larger than what went in
    return [value for value in tree_flatten(made)[0] if isinstance(value, Tensor)]
