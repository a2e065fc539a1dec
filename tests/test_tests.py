"""What tests may rest on: the public names of dlcc, so that its insides can be rewritten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
# landscape/_engine has tests of its own, and notebooks ask for _repr_html_
PRIVATE = re.compile(r"_(?!_|engine\b|repr_\w+_\b)\w+")
PATH_OF_PRIVATE = re.compile(r"dlcc(\.\w+)*\._(?!_|engine\b|repr_\w+_\b)\w+(\.\w+)*")
OWN = {"self", "cls"}
OF_TORCH = {"_forward_hooks"}  # read off modules, whose hooks torch shows nowhere else


def private_names(program: ast.AST) -> Iterator[tuple[int, str]]:
    """The private names that a program imports, reads or patches, with their lines; those of its
    own objects and of other packages than dlcc left out."""
    allowed = OWN | _imported_from_elsewhere(program)
    for node in ast.walk(program):
        match node:
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] == "dlcc":
                parts = [*module.split("."), *(alias.name for alias in node.names)]
                yield from ((node.lineno, part) for part in parts if PRIVATE.fullmatch(part))
            case ast.Attribute(attr=name) if PRIVATE.fullmatch(name) and name not in OF_TORCH:
                if _root(node) not in allowed:
                    yield node.lineno, ast.unparse(node)
            case ast.Call(args=[owner, ast.Constant(value=str(name)), *_]):
                if _is_patch(node) and PRIVATE.fullmatch(name) and _root(owner) not in allowed:
                    yield node.lineno, name
            case ast.Constant(value=str(text)) if PATH_OF_PRIVATE.fullmatch(text):
                yield node.lineno, text
            case ast.Constant(value=str()) | ast.JoinedStr():
                if (inner := _program_in(node)) is not None:
                    yield from ((node.lineno, name) for _, name in private_names(inner))


def _is_patch(call: ast.Call) -> bool:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
    return called in ("setattr", "getattr", "delattr", "object")


def _root(node: ast.AST) -> str | None:
    """The name that an expression such as `a.b[0].c` begins with."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _imported_from_elsewhere(program: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(program):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None)
            for alias in node.names:
                first = (module or alias.name).partition(".")[0]
                if first not in ("dlcc", "tests"):
                    names.add(alias.asname or (alias.name if module else first))
    return names


def _program_in(text: ast.Constant | ast.JoinedStr) -> ast.AST | None:
    """The program of which a string is the text, for another process; else None."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    source = "".join(str(p.value) if isinstance(p, ast.Constant) else "filled" for p in parts)
    if "import" not in source:
        return None
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return None


def test_no_private_name_is_imported_read_or_patched() -> None:
    files = [p for p in TESTS.rglob("*.py") if "fixtures" not in p.relative_to(TESTS).parts]
    found = [
        f"{path.relative_to(TESTS)}:{line}: {name}"
        for path in sorted({*files} - {Path(__file__)})
        for line, name in private_names(ast.parse(path.read_text()))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "from dlcc.metrics.sliced import _hidden",
        "from dlcc._hidden import x",
        "monkeypatch.setattr(scratch, '_HIDDEN', set())",
        "monkeypatch.setattr('dlcc.pipeline._hidden', None)",
        "mock.patch('dlcc.runs.lock.RunLock._hidden')",
        "mock.patch.object(RunLock, '_hidden')",
        "recorder._hidden.failure",
        "run(['-c', 'import dlcc.evaluation as e; e._hidden(1)'])",
        "run(f'import dlcc.evaluation as e\\ne._hidden({x})')",
    ],
)
def test_each_way_to_a_private_name_is_seen(line: str) -> None:
    assert [name for _, name in private_names(ast.parse(line)) if "_hidden" in name.lower()]


@pytest.mark.parametrize(
    "line",
    ["import os; os._exit(0)", "self._own = 1", "from dlcc import __version__", "x.__doc__"],
)
def test_what_is_ones_own_or_of_another_package_is_allowed(line: str) -> None:
    assert list(private_names(ast.parse(line))) == []
