"""Flow of values through a program, statement by statement, until nothing new is found."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence

from dlcc.stages.decomposition.places import OUTSIDE, UNKNOWN, Places, Value
from dlcc.stages.decomposition.syntax import (
    Definition,
    Scope,
    arguments_of,
    last_name,
    positional_of,
)

_ROUNDS = 12  # of the analysis; programs settle after four or five
_CALLING = frozenset(
    {"map", "filter", "sorted", "min", "max", "reduce", "sort", "starmap", "apply"}
)
_TRANSPARENT = frozenset(
    {"list", "tuple", "set", "iter", "reversed", "enumerate", "zip", "dict", "next", "sorted",
     "cast", "ModuleList", "ModuleDict", "Sequential", "OrderedDict", "deepcopy", "copy", "compile",
     "jit", "script"}
)  # fmt: skip
_HOLDING = frozenset(
    {"ModuleList", "ModuleDict", "Sequential", "dict", "zip", "enumerate", "OrderedDict"}
)
_GIVES_ITEMS = frozenset({"items", "values", "get", "pop", "copy", "setdefault", "__getitem__"})
_SAME = frozenset(
    {"to", "cuda", "cpu", "eval", "train", "double", "float", "half", "requires_grad_"}
)
_HARMLESS = frozenset(
    {"isinstance", "callable", "print", "id", "repr", "type", "hasattr", "wraps",
     "update_wrapper", "len", "issubclass", "str"}
)  # fmt: skip


class Flow(Places):
    """Values at every place of a program, growing until nothing changes."""

    def settle(self) -> None:
        """Go through all statements until nothing new is found."""
        for _ in range(_ROUNDS):
            self.changed = False
            for file, tree in [*self._trees.items()]:
                try:
                    self._run(tree.body, self._scopes[f"{file}:"])
                except RecursionError:  # nested deeper than code that somebody wrote
                    del self._trees[file]
            if not self.changed:
                break

    def assume_instances(self) -> None:
        """Give methods that nobody is seen to call an instance of their class, or of one below."""
        for method, owner in self._methods.items():
            arguments = positional_of(self._nodes[method])
            if method in self._entered or not arguments:
                continue
            kind = "class" if method in self._of_class else "instance"
            below = [c for c in self._bases if owner in self._line(c)]
            self._put(method, arguments[0].arg, {(kind, c) for c in below})

    def assume_arguments(self) -> None:
        """Give functions that nobody is seen to call arguments of which nothing is known."""
        for function, node in self._nodes.items():
            if function in self._entered:
                continue
            arguments = arguments_of(node.args)
            for argument in arguments[1:] if function in self._methods else arguments:
                self._put(function, argument.arg, {UNKNOWN})

    def _run(self, body: Iterable[ast.AST], scope: Scope) -> None:
        for node in body:
            self._statement(node, scope)

    def _statement(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, Definition):
            self._define(node, scope)
        elif isinstance(node, ast.ClassDef):
            own = self._inner_id(scope, node.name)
            for base in node.bases:
                self._put(own, "bases of it", self._value(base, scope))
            self._run(node.body, self._scopes[own])
            self._put(scope.id, node.name, {("class", own)})
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node, scope)
        elif isinstance(node, ast.Assign):
            value = self._value(node.value, scope)
            for target in node.targets:
                self._assign(target, value, scope)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self._assign(node.target, self._value(node.value, scope), scope)
        elif isinstance(node, ast.AugAssign):
            self._value(node.value, scope)
            self._assign(node.target, {OUTSIDE}, scope)
        elif isinstance(node, ast.For | ast.AsyncFor):
            self._assign(node.target, self._items(self._value(node.iter, scope)), scope)
            self._run([*node.body, *node.orelse], scope)
        elif isinstance(node, ast.Return):
            value = {OUTSIDE} if node.value is None else self._value(node.value, scope)
            self._put(scope.id, "result", value)
        elif isinstance(node, ast.withitem):
            value = self._value(node.context_expr, scope)
            if node.optional_vars is not None:
                instances = {v for v in value if v[0] == "instance"}
                self._assign(node.optional_vars, instances or {UNKNOWN}, scope)
        elif isinstance(node, ast.expr):
            self._value(node, scope)
        else:
            self._run(ast.iter_child_nodes(node), scope)

    def _define(self, node: Definition, scope: Scope) -> None:
        own = self._inner_id(scope, node.name)
        inner = self._scopes[own]
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args]
        for argument, default in zip(named[::-1], arguments.defaults[::-1], strict=False):
            self._put(own, argument.arg, self._value(default, scope))
        for argument, given in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
            if given is not None:
                self._put(own, argument.arg, self._value(given, scope))
        for star in (arguments.vararg, arguments.kwarg):
            if star is not None:
                self._put(own, star.arg, {("items", f"{own}*{star.arg}")})
        self._run(node.body, inner)
        if own in self._yielding:
            self._put(own, "result", {("items", f"{own}'s")})
        value: set[Value] = {("function", own)}
        for decorator in reversed(node.decorator_list):
            value = self._decorated(decorator, value, scope)
        self._put(scope.id, node.name, value)

    def _decorated(self, decorator: ast.expr, value: set[Value], scope: Scope) -> set[Value]:
        made = self._value(decorator, scope)
        ours = {v for v in made if v[0] in ("function", "bound", "class", "instance", "partial")}
        if not ours:
            return value  # of a library: it calls what it decorates
        found: set[Value] = set()
        for each in ours:
            found |= self._enter(each, [value], {}, [])
        return found

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                name = alias.asname or alias.name.partition(".")[0]
                wanted = alias.name if alias.asname else name
                file = self._file(wanted, scope.file, 0)
                self._put(scope.id, name, {("module", file)} if file else {OUTSIDE})
                continue
            file = self._file(node.module or "", scope.file, node.level)
            if alias.name == "*":
                for name, values in [*self._at.get(f"{file}:", {}).items()] if file else ():
                    self._put(scope.id, name, values)
                continue
            part = self._file(
                f"{node.module or ''}.{alias.name}".strip("."), scope.file, node.level
            )
            name = alias.asname or alias.name
            if file and alias.name in self._at.get(f"{file}:", {}):
                self._put(scope.id, name, self._get(f"{file}:", alias.name))
            elif part:
                self._put(scope.id, name, {("module", part)})
            elif not file:
                self._put(scope.id, name, {OUTSIDE})

    def _assign(self, target: ast.expr, value: set[Value], scope: Scope) -> None:
        if isinstance(target, ast.Name):
            self._put(scope.id, target.id, value)
        elif isinstance(target, ast.Attribute):
            for owner in self._value(target.value, scope):
                if owner[0] in ("instance", "class"):
                    self._put(owner[1], target.attr, value)
                elif owner[0] == "module":
                    self._put(f"{owner[1]}:", target.attr, value)
        elif isinstance(target, ast.Subscript):
            for owner in self._value(target.value, scope):
                if owner[0] == "items":
                    self._put(owner[1], "items", value)
        elif isinstance(target, ast.Tuple | ast.List):
            for k, each in enumerate(target.elts):
                self._assign(each, self._items(value, str(k)), scope)
        elif isinstance(target, ast.Starred):
            self._assign(target.value, value, scope)

    def _value(self, node: ast.expr, scope: Scope) -> set[Value]:
        if isinstance(node, ast.Name):
            return self._named(node.id, scope)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, scope)
        if isinstance(node, ast.Call):
            return self._call(node, scope)
        if isinstance(node, ast.Lambda):
            return self._lambda(node, scope)
        if isinstance(node, ast.IfExp):
            self._value(node.test, scope)
            return self._value(node.body, scope) | self._value(node.orelse, scope)
        if isinstance(node, ast.BoolOp):
            return set().union(*(self._value(v, scope) for v in node.values))
        if isinstance(node, ast.NamedExpr):
            self._statement(node, scope)
            return self._value(node.value, scope)
        if isinstance(node, ast.Dict | ast.List | ast.Tuple | ast.Set):
            return self._container(node, scope)
        if isinstance(node, ast.Subscript):
            self._value(node.slice, scope)
            key = str(node.slice.value) if isinstance(node.slice, ast.Constant) else ""
            return self._items(self._value(node.value, scope), key)
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
            return self._comprehension(node, scope)
        if isinstance(node, ast.Await | ast.Starred | ast.YieldFrom):
            return self._value(node.value, scope)
        if isinstance(node, ast.Yield):
            if node.value is not None:
                self._put(f"{scope.id}'s", "items", self._value(node.value, scope))
            return {UNKNOWN}
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._value(child, scope)
        return {OUTSIDE}

    def _attribute(self, node: ast.Attribute, scope: Scope) -> set[Value]:
        found: set[Value] = set()
        for owner in self._value(node.value, scope):
            found |= self._member(owner, node.attr, node, scope)
        return found

    def _member(self, owner: Value, name: str, node: ast.AST | None, scope: Scope) -> set[Value]:
        if owner[0] == "module":
            return self._get(f"{owner[1]}:", name)
        if owner[0] == "items":
            return (
                {owner}
                if name in _GIVES_ITEMS | {"append", "add", "extend", "update"}
                else {OUTSIDE}
            )
        if owner[0] in ("function", "bound", "partial", "outside"):
            return {OUTSIDE}
        if owner[0] == "unknown":
            return {UNKNOWN} if name in self._members else {OUTSIDE}
        values, outside = self._looked_up(owner[1], name)
        if owner[0] == "above":
            owner = tuple(owner[2:])
        found: set[Value] = set()
        for value in values:
            if value[0] == "function" and value[1] in self._properties and owner[0] == "instance":
                if node is not None and scope.speaks_for:
                    self._site(node, scope, {value}, name)
                found |= self._enter(value, [{owner}], {}, [])
            elif value[0] == "function" and value[1] in self._of_class:
                found.add(("bound", value[1], owner[1], "class"))
            elif value[0] == "function" and value[1] in self._methods and owner[0] == "instance":
                found.add(("bound", value[1], owner[1], "instance"))
            else:
                found.add(value)
        if found:
            return found
        if outside:  # of a base class that a library has
            return {owner} if name in _SAME else {OUTSIDE}
        return set()

    def _lambda(self, node: ast.Lambda, scope: Scope) -> set[Value]:
        own = f"{scope.id}~{node.lineno}.{node.col_offset}"
        if own not in self._scopes:
            self._nodes[own] = node
            self._scopes[own] = Scope(own, scope.file, scope, speaks_for=own)
        self._put(own, "result", self._value(node.body, self._scopes[own]))
        return {("function", own)}

    def _container(self, node: ast.expr, scope: Scope) -> set[Value]:
        site = f"{scope.file}@{node.lineno}.{node.col_offset}"
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
        else:
            elements: Sequence[ast.expr] = getattr(node, "elts", ())
            pairs = zip((ast.Constant(k) for k in range(len(elements))), elements, strict=True)
        for key, each in pairs:
            value = self._value(each, scope)
            if key is None or isinstance(each, ast.Starred):
                value = self._items(value)
            elif isinstance(key, ast.Constant):
                self._put(site, f"[{key.value!s}]", value)
            self._put(site, "items", value)
        return {("items", site)}

    def _comprehension(self, node: ast.expr, scope: Scope) -> set[Value]:
        for part in getattr(node, "generators", ()):
            self._assign(part.target, self._items(self._value(part.iter, scope)), scope)
            for test in part.ifs:
                self._value(test, scope)
        site = f"{scope.file}@{node.lineno}.{node.col_offset}"
        element = node.value if isinstance(node, ast.DictComp) else getattr(node, "elt", None)
        if isinstance(node, ast.DictComp):
            self._value(node.key, scope)
        if element is not None:
            self._put(site, "items", self._value(element, scope))
        return {("items", site)}

    def _items(self, values: Iterable[Value], key: str = "") -> set[Value]:
        """Values that a container holds, at a key where that is known."""
        found: set[Value] = set()
        for value in values:
            if value[0] == "items":
                at_key = self._get(value[1], f"[{key}]") if key else set()
                found |= at_key or self._get(value[1], "items")
            elif value[0] in ("outside", "unknown"):
                found.add(value if value[0] == "unknown" else OUTSIDE)
            else:
                found.add(UNKNOWN if value[0] == "instance" else value)
        return found

    def _call(self, node: ast.Call, scope: Scope) -> set[Value]:
        if isinstance(node.func, ast.Name) and node.func.id == "super":
            return self._above(scope)
        positional = [self._value(a, scope) for a in node.args if not isinstance(a, ast.Starred)]
        starred = [self._value(a, scope) for a in node.args if isinstance(a, ast.Starred)]
        keywords = {k.arg: self._value(k.value, scope) for k in node.keywords if k.arg}
        starred += [self._value(k.value, scope) for k in node.keywords if k.arg is None]
        name = last_name(node.func)
        given = [*positional, *keywords.values()]
        if name == "getattr" and len(node.args) > 1:
            return self._got(node, positional, scope)
        targets = self._value(node.func, scope)
        self._site(node, scope, targets, name or "what a call gives")
        ours = {t for t in targets if t not in (OUTSIDE, UNKNOWN) and t[0] != "items"}
        if not ours and targets <= {OUTSIDE} and targets:
            return self._outside_call(node, name, positional, keywords, given, scope)
        if any(t[0] == "items" for t in targets):
            self._filled(name, targets, given)
            return (
                self._items(targets)
                if name not in ("items",)
                else {t for t in targets if t[0] == "items"}
            )
        found: set[Value] = set()
        for target in ours:
            found |= self._enter(target, positional, keywords, starred)
        return found | (targets & {OUTSIDE, UNKNOWN})

    def _above(self, scope: Scope) -> set[Value]:
        """Value of `super()` in a method: its class's bases, as instances."""
        here: Scope | None = scope
        while here is not None and here.id not in self._methods:
            here = here.parent
        if here is None:
            return {UNKNOWN}
        bases = self._get(self._methods[here.id], "bases of it")
        arguments = positional_of(self._nodes[here.id])
        own = self._get(here.id, arguments[0].arg) if arguments else set()
        return {
            ("above", b[1], *v) if b[0] == "class" else b for b in bases or {OUTSIDE} for v in own
        }

    def _got(self, node: ast.Call, given: list[set[Value]], scope: Scope) -> set[Value]:
        """Value of `getattr`."""
        key = node.args[1]
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            found: set[Value] = set()
            for owner in given[0]:
                found |= self._member(owner, key.value, None, scope)
            return found | (given[2] if len(given) > 2 else set())
        return {OUTSIDE} if given[0] <= {OUTSIDE} else {UNKNOWN}

    def _filled(self, name: str, targets: Iterable[Value], given: Sequence[set[Value]]) -> None:
        """Put what `append` and its like are given into the container."""
        for target in targets:
            if target[0] != "items":
                continue
            for value in given if name in ("append", "add", "setdefault", "insert") else ():
                self._put(target[1], "items", value)
            for value in given if name in ("extend", "update") else ():
                self._put(target[1], "items", self._items(value))

    def _outside_call(
        self,
        node: ast.Call,
        name: str,
        positional: list[set[Value]],
        keywords: Mapping[str, set[Value]],
        given: Sequence[set[Value]],
        scope: Scope,
    ) -> set[Value]:
        """Call of what a library has: it may call what it is given."""
        if name == "partial" and positional:
            rest = len(positional) - 1
            for target in positional[0]:
                if target not in (OUTSIDE, UNKNOWN):
                    self._enter(target, positional[1:], keywords, [])
            return {
                v if v in (OUTSIDE, UNKNOWN) else ("partial", str(rest), *v) for v in positional[0]
            }
        functions = {
            v for value in given for v in value if v[0] in ("function", "bound", "partial")
        }
        if name in _CALLING and functions:
            self._site(node, scope, functions, name)
            items: set[Value] = set().union(
                *(self._items(v) for v in positional[1:] or positional[:1])
            )
            found: set[Value] = set()
            for function in functions:
                found |= self._enter(function, [items], {}, [])
            return found | {OUTSIDE}
        if name in _TRANSPARENT:
            held = {v for value in given for v in value if v not in (OUTSIDE, UNKNOWN)}
            site = f"{scope.file}@{node.lineno}.{node.col_offset}"
            if name in (
                "ModuleList",
                "ModuleDict",
                "Sequential",
                "dict",
                "zip",
                "enumerate",
                "OrderedDict",
            ):
                for value in held:
                    inner = self._items({value}) if value[0] == "items" else {value}
                    self._put(site, "items", inner - {UNKNOWN})
                return {("items", site)} if held else {OUTSIDE}
            if name == "next":
                return self._items(held) or {OUTSIDE}
            return held or {OUTSIDE}
        if functions and name not in _HARMLESS:
            self._site(node, scope, {UNKNOWN}, f"{ast.unparse(node.func)} with a function")
        return {OUTSIDE}

    def _enter(
        self,
        target: Value,
        positional: Sequence[set[Value]],
        keywords: Mapping[str, set[Value]],
        starred: Sequence[set[Value]],
    ) -> set[Value]:
        """Hand arguments to what is called; returns its results."""
        if target[0] == "partial":
            bound: list[set[Value]] = [set() for _ in range(int(target[1]))]
            return self._enter(tuple(target[2:]), [*bound, *positional], keywords, starred)
        if target[0] == "class":
            instance: Value = ("instance", target[1])
            for value in self._looked_up(target[1], "__init__")[0]:
                if value[0] == "function":
                    self._enter(value, [{instance}, *positional], keywords, starred)
            return {instance}
        if target[0] == "instance":
            results = [
                self._enter(called, positional, keywords, starred)
                for called in self._called(target)
            ]
            return set().union(*results)
        if target[0] == "bound":
            positional = [{(target[3], target[2])}, *positional]
        elif target[0] != "function":
            return {UNKNOWN}
        node = self._nodes[target[1]]
        self._entered.add(target[1])
        names = [a.arg for a in positional_of(node)]
        for name, given in zip(names, positional, strict=False):
            self._put(target[1], name, given)
        if node.args.vararg is not None:
            for given in positional[len(names) :]:
                self._put(f"{target[1]}*{node.args.vararg.arg}", "items", given)
        allowed = {a.arg for a in (*node.args.args, *node.args.kwonlyargs)}
        for name, given in keywords.items():
            if name in allowed:
                self._put(target[1], name, given)
            elif node.args.kwarg is not None:
                self._put(f"{target[1]}*{node.args.kwarg.arg}", "items", given)
        for given in starred:
            for name in names[len(positional) :]:
                self._put(target[1], name, self._items(given))
        return self._get(target[1], "result")
