"""Calls of players at whose outputs a loss is cut."""

from __future__ import annotations

from collections.abc import Sequence

from dlcc.tracing.graph import Call, Operation, Root, StepGraph


def outermost_calls(graph: StepGraph, roots: Sequence[Root]) -> list[Call]:
    """Choose the calls at whose outputs a loss is cut: the outermost ones, but for a module that
    makes the loss itself, whose parts are taken in its place."""
    children: dict[int, list[Call]] = {}
    for call in graph.calls:
        children.setdefault(call.parent, []).append(call)
    chosen, stack = [], list(children.get(-1, []))
    ends = {root.node for root in roots}
    enclosing = {
        number
        for end in ends
        if isinstance(node := graph.nodes[end], Operation)
        for number in node.inside
    }
    while stack:
        call = stack.pop()
        if (call.number in enclosing or ends & set(call.outputs)) and call.number in children:
            stack += children[call.number]
        else:
            chosen.append(call)
    return sorted(chosen, key=lambda call: call.number)
