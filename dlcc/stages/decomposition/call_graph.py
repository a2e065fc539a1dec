"""Calls between functions by the values that flow to the place of a call.

Values are followed through names, attributes of `self`, arguments, results, containers, partials,
lambdas and decorators, by the syntax trees alone and without regard to the order of statements,
until nothing new is found. A call has an edge to each function that can get there. Where something
that is not known can get there too, or nothing that is known, the call is unresolved: no edge is
guessed.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dlcc.stages.decomposition.flow import Flow
from dlcc.stages.decomposition.places import UNKNOWN, Value
from dlcc.stages.decomposition.syntax import own_nodes


@dataclass(frozen=True)
class Calls:
    """Calls between functions, and whose results go where. Functions are named `file:name`."""

    calls: Mapping[str, tuple[str, ...]]
    """Function -> those that it calls, in the order of their names."""
    handed_on: tuple[tuple[str, str], ...]
    """Pairs: the first one's result is an argument of the second."""
    unresolved: tuple[tuple[str, str, int], ...]
    """Calls of which something is not known: function, what is called, line in the file."""


def follow_calls(texts: Mapping[str, str]) -> Calls:
    """Follow calls through the sources `file -> text`; what is no Python is left out.

    >>> text = "def f():\\n    g = h\\n    return g()\\ndef h(): return 0\\n"
    >>> found = follow_calls({"a.py": text})
    >>> found.calls, found.unresolved
    ({'a.py:f': ('a.py:h',)}, ())
    """
    trees = {}
    for file, text in texts.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                trees[file] = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    try:
        return _followed(trees)
    except RecursionError:
        return Calls({}, (), ())


def _followed(trees: Mapping[str, ast.Module]) -> Calls:
    flow = _Found(trees)
    flow.settle()
    for assume in (flow.assume_instances, flow.assume_arguments):  # of what nobody is seen to call
        flow.changed = False
        assume()
        if flow.changed:
            flow.settle()
    return flow.found()


class _Found(Flow):
    """Flow that is told as edges, results handed on, and calls that are not resolved."""

    def found(self) -> Calls:
        """Edges, results handed on, and calls that are not resolved."""
        edges: dict[str, set[str]] = {}
        unresolved = set()
        for (_, line, *_rest), (caller, targets, text) in self._sites.items():
            reached = self._functions(targets)
            edges.setdefault(caller, set()).update(reached)
            if UNKNOWN in targets or not (reached or targets - {UNKNOWN}):
                unresolved.add((self._speaker(caller), text, line))
        whole = {
            caller: tuple(sorted(self._without_lambdas(callees, edges)))
            for caller, callees in edges.items()
            if "~" not in caller
        }
        return Calls(
            {c: t for c, t in sorted(whole.items()) if t},
            tuple(sorted({(giver, taker) for giver, taker in self._handed_on() if giver != taker})),
            tuple(sorted(unresolved)),
        )

    def _speaker(self, function: str) -> str:
        return function.partition("~")[0]

    def _functions(self, targets: Iterable[Value]) -> set[str]:
        found = set()
        for target in targets:
            while target[0] == "partial":
                target = tuple(target[2:])
            if target[0] in ("function", "bound"):
                found.add(target[1])
            elif target[0] == "class":
                found |= {
                    v[1] for v in self._looked_up(target[1], "__init__")[0] if v[0] == "function"
                }
            elif target[0] == "instance":
                found |= {v[1] for v in self._called(target)}
        return found

    def _without_lambdas(self, callees: Iterable[str], edges: Mapping[str, set[str]]) -> set[str]:
        """Callees, with those of a lambda in its place."""
        found: set[str] = set()
        waiting, seen = [*callees], set()
        while waiting:
            here = waiting.pop()
            if here in seen:
                continue
            seen.add(here)
            if "~" in here:
                waiting += edges.get(here, ())
            else:
                found.add(here)
        return found

    def _handed_on(self) -> Iterator[tuple[str, str]]:
        for id_, node in self._nodes.items():
            file = self._scopes[id_].file
            made_by: dict[str, list[ast.Call]] = {}
            for inner in own_nodes(node):
                if isinstance(inner, ast.Assign | ast.AnnAssign) and inner.value is not None:
                    targets = inner.targets if isinstance(inner, ast.Assign) else [inner.target]
                    calls = [n for n in ast.walk(inner.value) if isinstance(n, ast.Call)]
                    for name in (
                        n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)
                    ):
                        made_by.setdefault(name, []).extend(calls)
            for call in (n for n in own_nodes(node) if isinstance(n, ast.Call)):
                takers = self._at_site(file, call)
                for part in (
                    n for a in (*call.args, *(k.value for k in call.keywords)) for n in ast.walk(a)
                ):
                    givers = made_by.get(part.id, []) if isinstance(part, ast.Name) else []
                    for giver in (*givers, *([part] if isinstance(part, ast.Call) else [])):
                        yield from ((g, t) for g in self._at_site(file, giver) for t in takers)

    def _at_site(self, file: str, call: ast.Call) -> set[str]:
        site = self._sites.get((file, call.lineno, call.col_offset, "Call"))
        return set() if site is None else {f for f in self._functions(site[1]) if "~" not in f}
