"""Code as nodes: files, functions, calls, and results that go into other calls."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from dlcc.records import Dossier, Function
from dlcc.stages.decomposition.graph import GraphParts


def function_id(function: Function) -> str:
    """Id of a function's node."""
    return f"function:{function.file}:{function.name}"


def add_programs(parts: GraphParts, dossier: Dossier) -> None:
    """Add files with their functions, the calls between these, and results handed on."""
    for function in dossier.functions:
        file = parts.node("file", function.file, function.file, function.file)
        place = f"{function.file}:{function.first_line}"
        name = f"{function.file}:{function.name}"
        node = parts.node("function", name, function.name, place)
        parts.edge(file, node, "contains")
    for function in dossier.functions:
        resolve = _Resolver(function, dossier.functions)
        for callee in (*function.calls, *function.reads):
            if target := resolve(callee):
                parts.edge(function_id(function), function_id(target), "calls")
        for giver, taker in _handed_on(function):
            source, target = resolve(giver), resolve(taker)
            if source and target:
                parts.edge(function_id(source), function_id(target), "data")


class _Resolver:
    """Resolver of names inside a function: searched in its class, its file, then the others."""

    def __init__(self, inside: Function, functions: Sequence[Function]) -> None:
        self._inside = inside
        self._scopes: list[Mapping[str, Function]] = [
            {f.name: f for f in functions if f.file == inside.file},
            {f.name: f for f in functions},
        ]

    def __call__(self, name: str) -> Function | None:
        owner, _, _ = self._inside.name.rpartition(".")
        for scope in self._scopes:
            for candidate in (f"{self._inside.name}.{name}", name):
                if candidate in scope:
                    return scope[candidate]
            last = name.rpartition(".")[2]
            if name.startswith("self.") and f"{owner}.{last}" in scope:
                return scope[f"{owner}.{last}"]
            if f"{name}.__init__" in scope:
                return scope[f"{name}.__init__"]
        return None


def _handed_on(function: Function) -> Iterator[tuple[str, str]]:
    """List pairs (giver, taker) of calls in a function: the giver's result is an argument of the
    taker."""
    try:
        tree = ast.parse(textwrap.dedent(function.text))
    except SyntaxError:
        return
    made_by: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
            for name in names:
                made_by.setdefault(name, []).extend(_called(node.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            taker = _dotted(node.func)
            arguments = [*node.args, *(k.value for k in node.keywords)]
            for inner in (n for a in arguments for n in ast.walk(a)):
                givers = made_by.get(inner.id, []) if isinstance(inner, ast.Name) else []
                direct = [_dotted(inner.func)] if isinstance(inner, ast.Call) else []
                yield from ((giver, taker) for giver in (*givers, *direct) if giver and taker)


def _called(node: ast.expr) -> list[str]:
    return [name for n in ast.walk(node) if isinstance(n, ast.Call) and (name := _dotted(n.func))]


def _dotted(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
