"""Layout of tensors: nodes that are another one in another shape, or under a new name."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from dlcc.tracing.graph import OUTSIDE, Operation, StepGraph
from dlcc.tracing.operators import base_name
from dlcc.tracing.rerun import Rerun

_SHAPED = frozenset(("view", "reshape", "_unsafe_view", "unsqueeze", "squeeze", "expand", "t"))


def is_alias(graph: StepGraph, plain: Rerun, index: int) -> bool:
    """Tell whether a node is the one before it under a new name, in the same shape: a player that
    laid out what it was given has made nothing by that."""
    source = _source(graph, index)
    if source is None or base_name(graph.nodes[index].name) not in _SHAPED:
        return False
    return plain.value(index).shape == plain.value(source).shape


def is_shaped_data(graph: StepGraph, leaves: Mapping[int, Tensor], index: int) -> bool:
    """Tell whether a node is a leaf of data in another shape: the leaf stands for all its shapes.

    >>> import torch
    >>> from dlcc.tracing.recorder import StepRecorder
    >>> from dlcc.tracing.rerun import leaves_of
    >>> model, data = torch.nn.Linear(2, 2), torch.eye(2)
    >>> with StepRecorder({"model": model}) as recorder:
    ...     (model(data)[:, None] - data[None]).square().mean().backward()
    >>> graph, tensors = recorder.graph()
    >>> leaves = leaves_of(graph, tensors)
    >>> sum(is_shaped_data(graph, leaves, index) for index in range(len(graph.nodes)))
    1
    """
    source = _source(graph, index)
    while source is not None:
        made = graph.nodes[source]
        if not isinstance(made, Operation):
            value = leaves[source]
            return made.kind == OUTSIDE and value.is_floating_point() and value.ndim > 1
        source = _source(graph, source)
    return False


def _source(graph: StepGraph, index: int) -> int | None:
    """Node that an operation of layout is of; None where a node is made in another way."""
    node = graph.nodes[index]
    if not isinstance(node, Operation):
        return None
    uses = list(node.uses())
    laid_out = base_name(node.name) in _SHAPED or _turns_rows(node)
    return uses[0].node if laid_out and len(uses) == 1 else None


def _turns_rows(node: Operation) -> bool:
    """Whether an operation makes columns of rows."""
    name, dims = base_name(node.name), node.args[1:]
    if name == "permute":
        return bool(dims) and isinstance(dims[0], list) and dims[0][:1] != [0]
    return name == "transpose" and 0 in dims
