"""Parser from Python source to functions, by syntax tree alone: foreign code is never run."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

from dlcc.records import Function

_MOST = 1 << 20  # characters of a source file
_BUILT_IN = frozenset(dir(builtins))
_Definition = ast.FunctionDef | ast.AsyncFunctionDef


def parse_functions(file: str, text: str) -> list[Function]:
    """List every function and method of a source, nested ones too.

    Raises:
        SyntaxError: The text is no Python.
        ValueError: The text is no Python: it has null bytes.
    """
    if len(text) > _MOST:
        raise ValueError(f"{len(text):,} characters; at most {_MOST:,} are read")
    lines = text.splitlines()
    return [_function(file, name, node, lines) for name, node in _definitions(ast.parse(text), "")]


def _definitions(tree: ast.AST, prefix: str) -> Iterator[tuple[str, _Definition]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, _Definition):
            yield prefix + node.name, node
            yield from _definitions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from _definitions(node, f"{prefix}{node.name}.")
        else:
            yield from _definitions(node, prefix)


def _function(file: str, name: str, node: _Definition, lines: list[str]) -> Function:
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    stars = [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    parameters = tuple(a.arg for a in (*named, *stars))
    last = node.end_lineno or node.lineno
    inner = [n for statement in node.body for n in ast.walk(statement)]
    names = [n for n in inner if isinstance(n, ast.Name)]
    binds = {n.id for n in names if isinstance(n.ctx, ast.Store)}
    reads = {n.id for n in names if isinstance(n.ctx, ast.Load)}
    calls = (_dotted(n.func) for n in inner if isinstance(n, ast.Call))
    return Function(
        file=file,
        name=name,
        first_line=node.lineno,
        last_line=last,
        parameters=parameters,
        docstring=ast.get_docstring(node) or "",
        text="\n".join(lines[node.lineno - 1 : last]),
        calls=tuple(dict.fromkeys(c for c in calls if c)),
        reads=tuple(sorted(reads - binds - set(parameters) - _BUILT_IN)),
        binds=tuple(sorted(binds)),
    )


def _dotted(node: ast.expr) -> str:
    """Write an attribute chain as `self.net.forward`; empty for what has no name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return f"{owner}.{node.attr}" if owner else node.attr
    return ""
