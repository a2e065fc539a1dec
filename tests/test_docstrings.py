"""Docstrings: how each opens, what a public one tells, and that every example is true.

Public is what a package names in its `__all__`, and of a class named there its methods without an
underscore. A method's example may stand in its class's docstring.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest

import dlcc

PACKAGE = Path(dlcc.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

OPENINGS = re.compile(
    r"\W*(Of|That|By|In|At|On|With|Which|Whose|Who|Where|As|From|To|When|What|How|Why|For|Its|Their|"
    r"Those|These|This|It|Without|Within|After|Before|While|Under|Over|If|Beside)\b"
)
"""Words that no docstring opens with: a noun or a verb stands first, and the text stands alone."""
FROZEN = {"recipes/small_gan/training.py"}
"""Files that recorded runs hold letter by letter."""


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every docstring of a file, those under fields and constants included."""
    for node in ast.walk(ast.parse(path.read_text())):
        body = getattr(node, "body", None)
        for statement in body if isinstance(body, list) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                text = statement.value.value
                if isinstance(text, str) and text.strip():
                    yield statement.lineno, text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_docstrings_open_with_a_noun_or_a_verb(path: Path) -> None:
    if str(path.relative_to(PACKAGE)) in FROZEN:
        return
    wrong = [
        f"{path}:{line}: {' '.join(text.split()[:6])} ..."
        for line, text in docstrings(path)
        if OPENINGS.match(text)
    ]
    assert not wrong, "\n".join(wrong)


def exported() -> dict[str, object]:
    """Every function and class that a package names in its `__all__`, by its full name."""
    found: dict[str, object] = {}
    for module in ["dlcc", *(m.name for m in pkgutil.walk_packages(dlcc.__path__, "dlcc."))]:
        init = PACKAGE.parent.joinpath(*module.split("."), "__init__.py")
        if init.is_file() and "__all__" in init.read_text():
            package = importlib.import_module(module)
            for value in (getattr(package, name) for name in package.__all__):
                if inspect.isfunction(value) or inspect.isclass(value):
                    found[f"{value.__module__}.{value.__qualname__}"] = value
    return {name: value for name, value in sorted(found.items()) if name.startswith("dlcc.")}


def public_functions() -> dict[str, tuple[FunctionType, str]]:
    """Every public function and method with the docstring of its class, by its full name."""
    found: dict[str, tuple[FunctionType, str]] = {}
    for name, value in exported().items():
        if isinstance(value, FunctionType):
            found[name] = (value, "")
            continue
        for attribute, member in vars(value).items():
            plain = getattr(member, "__func__", member)  # of class and static methods
            made = isinstance(plain, FunctionType) and plain.__code__.co_filename.endswith(".py")
            if made and not attribute.startswith("_") and plain.__module__.startswith("dlcc"):
                found[f"{name}.{attribute}"] = (plain, inspect.getdoc(value) or "")
    return found


FUNCTIONS = public_functions()


def left_out(function: FunctionType, of_class: str) -> list[str]:
    """What the docstring of a public function does not tell."""
    text = inspect.getdoc(function) or ""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    names = [p for p in inspect.signature(function).parameters if p not in ("self", "cls")]
    arguments = text.partition("Args:")[2]
    missing = [f"argument {name}" for name in names if f"{name}:" not in arguments]
    returned = inspect.signature(function).return_annotation
    told = "Returns:" in text or "Yields:" in text
    if names and returned not in ("None", "Iterator[None]", None) and not told:
        missing.append("what is returned")
    raises = any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(tree))
    if raises and "Raises:" not in text and not function.__name__.endswith("Error"):
        missing.append("what is raised")
    if ">>>" not in text and f"{function.__name__}(" not in of_class.partition(">>>")[2]:
        missing.append("an example")
    return missing if text else ["everything"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_tells_arguments_result_errors_and_an_example(name: str) -> None:
    assert left_out(*FUNCTIONS[name]) == []


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if ">>> " in path.read_text()],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_examples_in_docstrings_are_true(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PACKAGE.parent)
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    module = importlib.import_module(".".join(parts[: -1 if parts[-1] == "__init__" else None]))
    failed, tried = doctest.testmod(module)
    assert tried > 0
    assert failed == 0
