"""Pruning of a recorded step to what its losses are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dlcc.tracing.graph import Leaf, Operation, StepGraph, Use


def pruned(graph: StepGraph) -> tuple[StepGraph, dict[int, int]]:
    """Keep what roots are made of.

    Args:
        graph: Whole step.

    Returns:
        The step without the rest, and old index of each node that was kept -> its new one.

    >>> from dlcc.tracing.graph import Root
    >>> whole = StepGraph((Leaf("noise", ""), Leaf("outside", "")), (), (Root(1, 1.0),), ())
    >>> step, place = pruned(whole)
    >>> [leaf.kind for leaf in step.nodes], step.roots[0].node, place
    (['outside'], 0, {1: 0})
    """
    kept = sorted(graph.ancestors([root.node for root in graph.roots]))
    place = {old: new for new, old in enumerate(kept)}
    calls = tuple(
        replace(
            call,
            inputs=tuple(place[i] for i in call.inputs if i in place),
            outputs=tuple(place[i] for i in call.outputs if i in place),
        )
        for call in graph.calls
        if any(i in place for i in call.outputs)
    )
    step = replace(
        graph,
        nodes=tuple(_moved_node(graph.nodes[old], place) for old in kept),
        calls=calls,
        roots=tuple(replace(root, node=place[root.node]) for root in graph.roots),
    )
    return step, place


def _moved_node(node: Leaf | Operation, place: dict[int, int]) -> Leaf | Operation:
    if isinstance(node, Leaf):
        return replace(node, sources=tuple(_moved(use, place) for use in node.sources))
    args = tuple(_moved(value, place) for value in node.args)
    return replace(node, args=args, kwargs={k: _moved(v, place) for k, v in node.kwargs.items()})


def _moved(value: Any, place: dict[int, int]) -> Any:
    if isinstance(value, Use):
        return replace(value, node=place[value.node])
    return [_moved(item, place) for item in value] if isinstance(value, list) else value
