"""Values at the places of a program: names in scopes, members of classes, what containers hold."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from dlcc.stages.decomposition.syntax import (
    Definition,
    Scope,
    Scoped,
    arguments_of,
    bound_names,
    last_name,
    nodes_within,
    own_nodes,
)

Value = tuple[str, ...]
"""Kind, then what it is: ("function", id), ("bound", id, class, "instance" or "class"), ("class",
id), ("instance", class), ("above", base, ...instance), ("module", file), ("items", site),
("partial", number, ...value), ("outside",) or ("unknown",)."""

OUTSIDE: Value = ("outside",)
UNKNOWN: Value = ("unknown",)
_MOST_VALUES = 40  # that one place may hold: beyond it is unknown
_DYNAMIC = frozenset({"globals", "locals", "eval", "exec", "__import__", "import_module"})


class Places:
    """Places of a program with the values that they may hold, as far as these are known."""

    def __init__(self, trees: Mapping[str, ast.Module]) -> None:
        self._trees = dict(trees)
        self.changed = False
        self._at: dict[str, dict[str, set[Value]]] = {}  # place -> name -> values
        self._bases: dict[str, list[ast.expr]] = {}
        self._scopes: dict[str, Scope] = {}
        self._nodes: dict[str, Scoped] = {}
        self._methods: dict[str, str] = {}  # function -> its class
        self._properties: set[str] = set()
        self._static: set[str] = set()
        self._of_class: set[str] = set()  # class methods
        self._entered: set[str] = set()
        self._yielding: set[str] = set()  # generators
        self._sites: dict[tuple[str, int, int, str], tuple[str, set[Value], str]] = {}
        self._bound: dict[str, set[str]] = {}
        self._members: set[str] = set()  # names of methods and of what is put on instances
        for file, tree in trees.items():
            attributes = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute)]
            self._members |= {n.attr for n in attributes if isinstance(n.ctx, ast.Store)}
            scope = Scope(f"{file}:", file, None)
            self._scopes[scope.id] = scope
            self._declare(tree.body, scope, "")

    def _declare(self, body: Iterable[ast.AST], scope: Scope, prefix: str) -> None:
        for node in body:
            if isinstance(node, Definition):
                own = f"{scope.file}:{prefix}{node.name}"
                self._nodes[own] = node
                self._scopes[own] = Scope(own, scope.file, scope, speaks_for=own)
                self._mark(own, node, scope)
                self._declare(node.body, self._scopes[own], f"{prefix}{node.name}.")
            elif isinstance(node, ast.ClassDef):
                own = f"{scope.file}:{prefix}{node.name}"
                self._bases[own] = node.bases
                self._scopes[own] = Scope(own, scope.file, scope, True)
                self._declare(node.body, self._scopes[own], f"{prefix}{node.name}.")
            elif isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
                self._declare(ast.iter_child_nodes(node), scope, prefix)

    def _mark(self, own: str, node: Definition, scope: Scope) -> None:
        names = {last_name(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list}
        if scope.is_class:
            self._members.add(node.name)
            if "staticmethod" in names:
                self._static.add(own)
            else:
                self._methods[own] = scope.id
                if "classmethod" in names:
                    self._of_class.add(own)
        if any(isinstance(n, ast.Yield | ast.YieldFrom) for n in own_nodes(node)):
            self._yielding.add(own)
        if names & {"property", "cached_property"}:
            self._properties.add(own)

    def _put(self, place: str, name: str, values: Iterable[Value]) -> None:
        here = self._at.setdefault(place, {}).setdefault(name, set())
        before = len(here)
        here.update(values if before < _MOST_VALUES else {UNKNOWN})
        self.changed |= len(here) != before

    def _get(self, place: str, name: str) -> set[Value]:
        return self._at.get(place, {}).get(name, set())

    def _line(self, owner: str) -> set[str]:
        """A class with all above it."""
        found, waiting = set(), [owner]
        while waiting:
            here = waiting.pop()
            if here not in found:
                found.add(here)
                waiting += [b[1] for b in self._get(here, "bases of it") if b[0] == "class"]
        return found

    def _looked_up(self, owner: str, name: str) -> tuple[set[Value], bool]:
        """Values of a member of a class, its own or inherited, and whether a library's class is
        above."""
        outside = False
        waiting, seen = [owner], set()
        found: set[Value] = set()
        while waiting:
            here = waiting.pop(0)
            if here in seen:
                continue
            seen.add(here)
            found |= self._get(here, name)
            if self._get(here, name) and any(v[0] == "function" for v in self._get(here, name)):
                return found, outside
            for base in self._get(here, "bases of it"):
                if base[0] == "class":
                    waiting.append(base[1])
                else:
                    outside = True
        return found, outside

    def _called(self, instance: Value) -> list[Value]:
        """Methods that a call of an instance leads to: `__call__`, or `forward` below a library's
        class."""
        values, outside = self._looked_up(instance[1], "__call__")
        if not values and outside:
            values, _ = self._looked_up(instance[1], "forward")
            values = values or self._looked_up(instance[1], "call")[0]
        return [("bound", v[1], instance[1], "instance") for v in values if v[0] == "function"]

    def _file(self, module: str, importer: str, level: int) -> str | None:
        """File of a module among the sources, nearest to the importer."""
        path = module.replace(".", "/")
        folder = PurePosixPath(importer).parent
        for _ in range(max(level - 1, 0)):
            folder = folder.parent
        folders = [folder] if level else [folder, *folder.parents]
        for base in folders:
            for ending in (f"{path}.py", f"{path}/__init__.py") if path else ("__init__.py",):
                name = (base / ending).as_posix()
                if name in self._trees:
                    return name
        return None

    def _named(self, name: str, scope: Scope) -> set[Value]:
        here: Scope | None = scope
        while here is not None:
            if (not here.is_class or here is scope) and name in self._names_of(here):
                return self._get(here.id, name)
            here = here.parent
        if name in self._at.get(f"{scope.file}:", {}):  # by a star import
            return self._get(f"{scope.file}:", name)
        return {UNKNOWN} if name in _DYNAMIC else {OUTSIDE}

    def _names_of(self, scope: Scope) -> set[str]:
        if scope.id not in self._bound:
            node = self._nodes.get(scope.id)
            own: set[str] = set()
            if node is not None:
                own |= {a.arg for a in arguments_of(node.args)}
                body = [node.body] if isinstance(node, ast.Lambda) else node.body
            elif scope.id.endswith(":"):
                body = self._trees[scope.file].body
            else:
                body = []
            away = {
                n
                for g in nodes_within(body)
                if isinstance(g, ast.Global | ast.Nonlocal)
                for n in g.names
            }
            own |= {n for n in bound_names(body) if n not in away}
            self._bound[scope.id] = own
        if scope.is_class:
            return {*self._at.get(scope.id, {})}
        return self._bound[scope.id]

    def _site(self, node: ast.AST, scope: Scope, targets: set[Value], text: str) -> None:
        if not scope.speaks_for:
            return
        key = (
            scope.file,
            getattr(node, "lineno", 0),
            getattr(node, "col_offset", 0),
            type(node).__name__,
        )
        old = self._sites.get(key)
        known = targets if old is None else old[1] | targets
        self._sites[key] = (scope.speaks_for, known, text)

    def _inner_id(self, scope: Scope, name: str) -> str:
        return f"{scope.id}{name}" if scope.id.endswith(":") else f"{scope.id}.{name}"
