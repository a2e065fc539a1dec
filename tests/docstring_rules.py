"""Rules for the docstring of a public function: its sections, shapes, errors and example."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from dlcc.errors import DlccError

SECTION = re.compile(r"(Args|Returns|Yields|Raises):$")
ARRAY = re.compile(r"\b(Tensor|ndarray|NDArray|ArrayLike|Floats|Ints|Complexes|Direction)\b")
"""Annotation that holds an array."""
SHAPE = re.compile(r"\[[^\]]*\]|\b([Ss]calars?|0-d)\b")
REFERENCE = re.compile(r"(as (for|in|of)|likewise|see|the same as)\b", re.IGNORECASE)
"""What stands in place of a description where a reader is sent elsewhere for it."""
FORMULA = re.compile(r"[Σ√∂‖∇φΦ]|\^|log2|exp\(")
SOURCE = re.compile(r"\b(1[89]|20)\d\d\b|(DLCC|AKDE-BO), section|this package")
"""A paper by its year; our own paper; or the word that there is none."""
CALLABLE = re.compile(r"Callable\[(\[.*?\]|\.\.\.), [^\]]*\]|'[^']*'")


def sections(text: str) -> dict[str, str]:
    """Google sections of a docstring: name to its block of indented lines, without the indent."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        if head := SECTION.match(line):
            current = found.setdefault(head[1], [])
        elif line and not line[0].isspace():
            current = None
        elif current is not None:
            current.append(line)
    return {name: textwrap.dedent("\n".join(lines)).strip() for name, lines in found.items()}


def entries(block: str) -> dict[str, str]:
    """Entries `name: text` or `name (type): text` of a block, each from the start of its line."""
    found: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        head = re.match(r"\*{0,2}([\w.]+)(?: \([^)]*\))?:\s+(.*)", line)
        if head:
            name = head[1]
            found[name] = head[2]
        elif name and line.startswith(" "):
            found[name] += " " + line.strip()
    return found


def examples(text: str) -> str:
    """Lines of examples that are run: those that every doctest skips are left out."""
    lines, skipped = [], False
    for line in text.splitlines():
        if line.startswith(">>>"):
            skipped = "+SKIP" in line
        if line.startswith((">>>", "...")) and not skipped:
            lines.append(line)
    return "\n".join(lines)


@dataclass(frozen=True)
class Public:
    """Function, or method with the class that it is called on."""

    function: FunctionType
    owner: type | None = None

    @property
    def text(self) -> str:
        """Docstring: that of its class for a constructor."""
        return self.of_class if self.constructs else inspect.getdoc(self.function) or ""

    @property
    def of_class(self) -> str:
        return inspect.getdoc(self.owner) or "" if self.owner is not None else ""

    @property
    def module(self) -> str:
        return self.function.__module__

    @property
    def constructs(self) -> bool:
        return self.function.__name__ == "__init__"


def left_out(public: Public) -> list[str]:
    """What the docstring of a public function does not tell."""
    if not public.text:
        return ["everything"]
    told = sections(public.text)
    raises = entries(told.get("Raises", ""))
    missing = [*_arguments(public.function, told), *_result(public.function, told)]
    missing += [f"error {name}" for name in sorted(_untold(public, {*raises}))]
    missing += [
        f"what {name} is raised for" for name, said in raises.items() if _is_vague(name, said)
    ]
    if _is_of_a_formula(public) and not SOURCE.search(public.text):
        missing.append("the source of the formula")
    call = rf"\.{public.function.__name__}\("
    if not examples(public.text) and not re.search(call, examples(public.of_class)):
        missing.append("an example")
    return missing


def _arguments(function: FunctionType, told: dict[str, str]) -> Iterator[str]:
    said = entries(told.get("Args", ""))
    for name, parameter in inspect.signature(function).parameters.items():
        if name in ("self", "cls"):
            continue
        if name not in said:
            yield f"argument {name}"
        elif REFERENCE.match(said[name]):
            yield f"what argument {name} is"
        elif _is_array(parameter.annotation) and not SHAPE.search(said[name]):
            yield f"shape of argument {name}"


def _result(function: FunctionType, told: dict[str, str]) -> Iterator[str]:
    returned = str(inspect.signature(function).return_annotation)
    said = told.get("Returns", "") or told.get("Yields", "")
    if returned in ("None", "Iterator[None]", "NoReturn"):
        return
    if not said:
        yield "what is returned"
    elif _is_array(returned) and not SHAPE.search(said):
        yield "shape of what is returned"


def _is_vague(error: str, said: str) -> bool:
    return bool(REFERENCE.match(said)) or (error == "ValueError" and "cannot be used" in said)


def _is_of_a_formula(public: Public) -> bool:
    rooms = re.match(r"dlcc\.(landscape|metrics|scoring|forecast|ensembles)\b", public.module)
    return rooms is not None and FORMULA.search(public.text.partition("Args:")[0]) is not None


def _is_array(annotation: object) -> bool:
    return ARRAY.search(CALLABLE.sub("", str(annotation))) is not None


# --- errors ---------------------------------------------------------------------------------------


def _untold(public: Public, told: set[str]) -> set[str]:
    """Names of errors that leave a function and that neither they nor a base of theirs is told."""
    leaving = _Reader(public.function, public.owner, frozenset()).read()
    return {kind.__name__ for kind in leaving if not told & {k.__name__ for k in kind.__mro__}}


class _Reader:
    """Reader of one function: the errors that leave it, as far as its text shows them.

    They are those that it raises itself, the DLCC errors of functions that it calls by name, and
    all errors of private helpers in the same module. A callee with a section Raises is believed,
    one without is read in turn. What a `try` around the place catches does not leave.
    """

    def __init__(
        self, function: FunctionType, owner: type | None, above: frozenset[FunctionType]
    ) -> None:
        self.function, self.owner, self.above = function, owner, above | {function}
        self.names = {**vars(importlib.import_module(function.__module__))}
        self.package = function.__module__.partition(".")[0]

    def read(self) -> frozenset[type[BaseException]]:
        tree = ast.parse(textwrap.dedent(inspect.getsource(self.function)))
        body = tree.body[0]
        assert isinstance(body, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(body):
            if isinstance(node, ast.ImportFrom) and self._is_ours(node.module):
                module = importlib.import_module(str(node.module))
                for alias in node.names:
                    self.names[alias.asname or alias.name] = getattr(module, alias.name, None)
        return frozenset(self._of(body.body))

    def _is_ours(self, module: str | None) -> bool:
        return (module or "").partition(".")[0] == self.package

    def _of(self, nodes: Iterable[ast.AST]) -> set[type[BaseException]]:
        found: set[type[BaseException]] = set()
        for node in nodes:
            match node:
                case ast.FunctionDef() | ast.Lambda() | ast.ClassDef():
                    pass  # runs later, if at all
                case ast.Try():
                    caught = tuple(k for h in node.handlers for k in self._caught(h))
                    found |= {k for k in self._of(node.body) if not issubclass(k, caught)}
                    found |= self._of([*node.handlers, *node.orelse, *node.finalbody])
                case ast.With():
                    made = [item.context_expr for item in node.items]
                    caught = tuple(k for context in made for k in self._suppressed(context))
                    found |= {k for k in self._of([*made, *node.body]) if not issubclass(k, caught)}
                case _:
                    if isinstance(node, ast.Raise) and node.exc is not None:
                        found |= self._raised(node.exc)
                    elif isinstance(node, ast.Call):
                        found |= self._called(node)
                    found |= self._of(ast.iter_child_nodes(node))
        return found

    def value(self, node: ast.AST) -> Any:
        """Object that a name or an attribute of a module or class stands for; None if unknown."""
        if isinstance(node, ast.Name):
            if node.id in ("self", "cls") and self.owner is not None:
                return self.owner
            return self.names.get(node.id, vars(builtins).get(node.id))
        if isinstance(node, ast.Attribute):
            owner = self.value(node.value)
            known = inspect.isclass(owner) or inspect.ismodule(owner)
            return inspect.getattr_static(owner, node.attr, None) if known else None
        return None

    def _caught(self, handler: ast.ExceptHandler) -> list[type[BaseException]]:
        if handler.type is None:
            return [BaseException]
        parts = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        return [k for k in map(self.value, parts) if inspect.isclass(k)]

    def _suppressed(self, node: ast.AST) -> list[type[BaseException]]:
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            return [k for k in map(self.value, node.args) if inspect.isclass(k)]
        return []

    def _raised(self, node: ast.AST) -> set[type[BaseException]]:
        kind = self.value(node.func if isinstance(node, ast.Call) else node)
        return {kind} if inspect.isclass(kind) and issubclass(kind, BaseException) else set()

    def _called(self, call: ast.Call) -> set[type[BaseException]]:
        node, called = call.func, self.value(call.func)
        if inspect.isclass(called) and self._is_ours(called.__module__):
            if not call.args and not call.keywords:
                return set()  # nothing of the caller's that could be wrong
            made = (vars(called).get(name) for name in ("__init__", "__post_init__"))
            return {k for init in made for k in self._passed(init, called)}
        owner = self.value(node.value) if isinstance(node, ast.Attribute) else None
        return self._passed(called, owner if inspect.isclass(owner) else None)

    def _passed(self, called: Any, owner: type | None) -> set[type[BaseException]]:
        called = inspect.unwrap(getattr(called, "__func__", called)) if called else None
        if not isinstance(called, FunctionType) or called in self.above:
            return set()
        if not self._is_ours(called.__module__) or "<" in called.__code__.co_filename:
            return set()
        told = entries(sections(inspect.getdoc(called) or "").get("Raises", ""))
        if called.__name__ in ("__init__", "__post_init__") and owner is not None:
            told |= entries(sections(inspect.getdoc(owner) or "").get("Raises", ""))
        reader = _Reader(called, owner, self.above)
        values = (reader.value(ast.parse(name, mode="eval").body) for name in told)
        kinds = {k for k in values if inspect.isclass(k) and issubclass(k, BaseException)}
        helper = called.__module__ == self.function.__module__ and called.__name__.startswith("_")
        return {k for k in kinds or reader.read() if helper or issubclass(k, DlccError)}
