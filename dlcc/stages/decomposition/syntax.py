"""Scopes and names of Python, read off its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Definition = ast.FunctionDef | ast.AsyncFunctionDef
Scoped = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Scope:
    """Place where names are bound."""

    id: str
    """`file:name`; of a module `file:`."""
    file: str
    parent: Scope | None
    is_class: bool = False
    speaks_for: str = ""
    """Function that calls in this scope are of; empty at the top of a file or class."""


def arguments_of(arguments: ast.arguments) -> list[ast.arg]:
    """List all arguments of a function, those with stars last."""
    stars = [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars]


def positional_of(node: Scoped) -> list[ast.arg]:
    """List the arguments that a function takes by their place."""
    return [*node.args.posonlyargs, *node.args.args]


def own_nodes(node: Scoped) -> Iterator[ast.AST]:
    """Nodes of a function without those of functions and classes within it."""
    yield from nodes_within([node.body] if isinstance(node, ast.Lambda) else node.body)


def nodes_within(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Walk nodes without those of functions and classes within them."""
    for node in body:
        yield node
        if not isinstance(node, Definition | ast.ClassDef | ast.Lambda):
            yield from nodes_within(ast.iter_child_nodes(node))


def bound_names(body: Iterable[ast.AST]) -> Iterator[str]:
    """List the names that statements bind in their own scope."""
    for node in nodes_within(body):
        if isinstance(node, Definition | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (a.asname or a.name.partition(".")[0] for a in node.names)


def last_name(node: ast.expr) -> str:
    """Write the last part of a name as code has it; empty for what has no name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
