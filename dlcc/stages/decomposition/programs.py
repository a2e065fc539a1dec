"""Code as nodes: files, functions, calls by data flow, and results that go into other calls."""

from __future__ import annotations

from dlcc.records import Dossier, Function
from dlcc.stages.decomposition.call_graph import Calls
from dlcc.stages.decomposition.graph import GraphParts


def function_id(function: Function) -> str:
    """Id of a function's node."""
    return f"function:{function.file}:{function.name}"


def add_programs(parts: GraphParts, dossier: Dossier, calls: Calls) -> None:
    """Add files with their functions, the calls between these, and results handed on."""
    for function in dossier.functions:
        file = parts.node("file", function.file, function.file, function.file)
        place = f"{function.file}:{function.first_line}"
        name = f"{function.file}:{function.name}"
        node = parts.node("function", name, function.name, place)
        parts.edge(file, node, "contains")
    pairs = [(caller, callee, "calls") for caller, its in calls.calls.items() for callee in its]
    handed_on = [(giver, taker, "data") for giver, taker in calls.handed_on]
    for source, target, kind in (*pairs, *handed_on):
        ends = f"function:{source}", f"function:{target}"
        if all(end in parts.nodes for end in ends):
            parts.edge(*ends, "calls" if kind == "calls" else "data")
