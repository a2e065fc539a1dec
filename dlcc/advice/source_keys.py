"""Keys of a configuration that source code provably reads, found in its syntax tree.

What is read may still be without effect; code that can be run tells more (`dlcc.advice.heeding`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

_TAKES = ("get", "pop", "setdefault")
_BY_NAME = ("getattr", "hasattr")


@dataclass(frozen=True)
class SourceKeys:
    """Names that code reads from mappings or objects, and texts that it holds in quotes.

    >>> code = "lr = config['lr']; b = hp.beta1; d = cfg.get(f'lr_{player}'); config['x'] = 1"
    >>> read = SourceKeys.of([code])
    >>> [read.reads(key) for key in ("lr", "beta1", "lr_d", "x", "loss", "opt.d.lr")]
    [True, True, True, False, False, False]
    >>> SourceKeys.of(["rate = c['opt']['d']['lr']"]).reads("opt.d.lr")
    True
    """

    names: frozenset[str]
    """Names read by subscript, `get`, attribute or `getattr`, or declared as a field, parameter or
    option."""
    patterns: tuple[str, ...]
    """Regular expressions of names that are put together, as by an f-string."""
    texts: frozenset[str]
    """Texts in quotes, such as the names of the losses that code knows."""

    @classmethod
    def of(cls, code: Collection[str]) -> SourceKeys:
        """Read source code; what does not parse is passed over.

        Args:
            code: Texts of Python files.

        Returns:
            Names and texts of all of them.
        """
        names: set[str] = set()
        patterns: set[str] = set()
        texts: set[str] = set()
        for text in code:
            try:
                tree = ast.parse(text)
            except (SyntaxError, ValueError, RecursionError):
                continue
            called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
            for node in ast.walk(tree):
                for name in () if _is_method(node, called) else _read_by(node):
                    if isinstance(name, ast.JoinedStr):
                        patterns.add(_pattern(name))
                    else:
                        names.add(name)
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.add(node.value)
        return cls(frozenset(names), tuple(sorted(patterns)), frozenset(texts))

    def reads(self, path: str) -> bool:
        """Tell whether every name on the way to a value is read.

        Args:
            path: Path of the value, names joined by dots; numbers within lists need not be read.

        Returns:
            True where the whole path as one name is read, or each of its names.
        """
        if self._reads(path):
            return True
        names = [name for name in path.split(".") if not name.isdigit()]
        return len(names) > 0 and all(map(self._reads, names))

    def _reads(self, name: str) -> bool:
        return name in self.names or any(re.fullmatch(p, name) for p in self.patterns)


def _read_by(node: ast.AST) -> Iterator[str | ast.JoinedStr]:
    """Names that a node of the tree reads or declares."""
    match node:
        case ast.Subscript(slice=key, ctx=ast.Load()):
            yield from _name(key)
        case ast.Attribute(attr=attr, ctx=ast.Load()):
            yield attr
        case ast.Call(func=ast.Attribute(attr=method), args=[key, *_]) if method in _TAKES:
            yield from _name(key)
        case ast.Call(func=ast.Name(id=function), args=[_, key, *_]) if function in _BY_NAME:
            yield from _name(key)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from _parameters_read(node)  # of `build(**config)`, say
        case ast.MatchMapping(keys=keys):
            for key in keys:
                yield from _name(key)


def _is_method(node: ast.AST, called: Collection[int]) -> bool:
    """Whether a node is a method that is called: `optimizer.step()` reads no key `step`."""
    return isinstance(node, ast.Attribute) and id(node) in called


def _parameters_read(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Parameters of a function that are read within it."""
    read = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return read & {a.arg for a in (*node.args.args, *node.args.kwonlyargs)}


def _name(key: ast.expr) -> Iterator[str | ast.JoinedStr]:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        yield key.value
    elif isinstance(key, ast.JoinedStr) and any(isinstance(v, ast.Constant) for v in key.values):
        yield key


def _pattern(text: ast.JoinedStr) -> str:
    """Regular expression of an f-string; what is put in is taken to be one word."""
    parts = (
        re.escape(str(part.value)) if isinstance(part, ast.Constant) else r"\w+"
        for part in text.values
    )
    return "".join(parts)
