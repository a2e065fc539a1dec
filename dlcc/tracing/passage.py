"""Passage of gradients through a batch: samples that enter a loss and train nothing.

A loss may be the right function of what players return, and half of the samples be cut off before
they are judged. Neither the values show it, nor the gradients in what players return.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dlcc.errors import TraceError
from dlcc.tracing.graph import PARAMETER, Leaf, Operation, StepGraph, Use
from dlcc.tracing.operators import base_name
from dlcc.tracing.rerun import Rerun


class _Unblocked(Rerun):
    """Rerun in which gradients flow everywhere, whatever the step cut off."""

    def _used(self, use: Use) -> Tensor:
        return self._made[use.node]

    def _run(self, node: Operation) -> Tensor:
        if base_name(node.name) == "detach":
            used: Any = self._argument(node.args[0])
            return used.view_as(used) if isinstance(used, Tensor) else super()._run(node)
        return super()._run(node)


def blocked_rows(
    graph: StepGraph, leaves: Mapping[int, Tensor], made: int, used: int
) -> tuple[int, int]:
    """Count the rows of a tensor through which no gradient comes back, though they are used.

    Args:
        graph: Recorded step.
        leaves: Leaf's index -> its numbers.
        made: Node of rows, such as what a generator returned.
        used: Node that is made of them, such as the discriminator's outputs.

    Returns:
        Rows that are cut off, and rows that are used.

    Raises:
        TraceError: An operation cannot be run again.

    >>> from dlcc.tracing.recorder import StepRecorder
    >>> from dlcc.tracing.rerun import leaves_of
    >>> G, D = torch.nn.Linear(2, 3), torch.nn.Linear(3, 1)
    >>> with StepRecorder({"G": G, "D": D}) as recorder:
    ...     x = G(torch.randn(8, 2))
    ...     D(torch.cat([x[:6], x[6:].detach()])).mean().backward()
    >>> graph, tensors = recorder.graph()
    >>> ends = [call.outputs[0] for call in graph.calls]
    >>> blocked_rows(graph, leaves_of(graph, tensors), *ends)
    (2, 8)
    """
    return _blocked(graph, leaves, made, used, over=1)


def blocked_features(
    graph: StepGraph, leaves: Mapping[int, Tensor], made: int, used: int
) -> tuple[int, int]:
    """Count the numbers of each row through which no gradient comes back, though they are used.

    Args:
        graph: Recorded step.
        leaves: Leaf's index -> its numbers.
        made: Node of rows, such as what an encoder returned.
        used: Node that is made of them, such as the decoder's outputs.

    Returns:
        Numbers of a row that are cut off, and numbers of a row that are used.

    Raises:
        TraceError: An operation cannot be run again.
    """
    return _blocked(graph, leaves, made, used, over=0)


def reached_weights(graph: StepGraph, root: int) -> set[str]:
    """Find the weights into which gradients of a node flow.

    Returns:
        Names `player/weight`.

    >>> from dlcc.tracing.recorder import StepRecorder
    >>> D = torch.nn.Linear(3, 1)
    >>> with StepRecorder({"D": D}) as recorder:
    ...     D(torch.ones(2, 3)).mean().backward()
    >>> graph, _ = recorder.graph()
    >>> sorted(reached_weights(graph, graph.roots[0].node))
    ['D/bias', 'D/weight']
    """
    found, seen, stack = set(), set(), [root]
    while stack:
        index = stack.pop()
        if index in seen:
            continue
        seen.add(index)
        node = graph.nodes[index]
        if isinstance(node, Leaf):
            if node.kind == PARAMETER and node.grad:
                found.add(node.name)
        elif base_name(node.name) != "detach":
            stack += [use.node for use in node.uses() if use.grad]
    return found


def _blocked(
    graph: StepGraph, leaves: Mapping[int, Tensor], made: int, used: int, *, over: int
) -> tuple[int, int]:
    """Count what is cut off and what is used, gradients summed over one side of the table."""
    passed = _gradients(Rerun, graph, leaves, made, used).sum(dim=over)
    needed = _gradients(_Unblocked, graph, leaves, made, used).sum(dim=over) > 0
    return int((needed & (passed == 0)).sum()), int(needed.sum())


def _gradients(
    kind: type[Rerun], graph: StepGraph, leaves: Mapping[int, Tensor], made: int, used: int
) -> Tensor:
    """Size of the gradient in each number of one node [rows, features], of a sum of another's
    numbers that is drawn."""
    rows = Rerun(graph, leaves).value(made).detach().clone().requires_grad_()
    value = kind(graph, leaves, {made: rows}).value(used)
    none = torch.zeros(rows.shape).reshape(len(rows) if rows.ndim else 1, -1)
    if not value.requires_grad:
        return none
    weights = torch.rand(value.shape, generator=torch.Generator().manual_seed(0)) + 0.5
    try:
        (found,) = torch.autograd.grad((value * weights).sum(), [rows], allow_unused=True)
    except RuntimeError as error:
        raise TraceError(f"a gradient cannot be taken again ({str(error)[:120]})") from None
    if found is None:
        return none
    return found.reshape(none.shape).abs()
