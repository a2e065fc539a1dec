"""Docstrings: how each opens, what a public one tells, and that every example is true.

Public is what a module names in its `__all__`, and of a class named there its constructor and its
methods without an underscore. A method's example may stand in its class's docstring, and that of a
constructor does.
"""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

import pytest

import dlcc
from tests.docstring_rules import Public, left_out

PACKAGE = Path(dlcc.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

PREPOSITIONS = """about above across after against along among around as at before behind below
    beside between beyond by during for from in inside into like near of off on onto out outside
    over per since than through throughout till to towards under unlike until up upon via with
    within without"""
PRONOUNS = """all\\W+of both\\W+of each\\W+of he here hers his how it its likewise mine most\\W+of
    none one\\W+of our ours same she some\\W+of such that their theirs them there these they this
    those we what when where which who whom whose why you your"""
CONJUNCTIONS = """also although and because but else hence if lest likewise nor or otherwise so
    than then therefore though thus unless while yet"""
OPENINGS = re.compile(
    rf"\W*(?:{'|'.join((PREPOSITIONS + ' ' + PRONOUNS + ' ' + CONJUNCTIONS).split())})\b",
    re.IGNORECASE,
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


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("Largest deviation.", True),
        ("One row of the table.", True),
        ("Each player's loss.", True),
        ("Information that is kept.", True),
        ("of the whole.", False),
        ("One of which is taken.", False),
        ("so that nothing waits.", False),
        ("`as` it was.", False),
        ("There is none.", False),
    ],
)
def test_an_opening_is_judged_by_its_first_word(text: str, stands: bool) -> None:
    assert (OPENINGS.match(text) is None) == stands


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
    """Every function and class that a module names in its `__all__`, by its full name."""
    found: dict[str, object] = {}
    for path in FILES:
        if not re.search(r"^__all__ = ", path.read_text(), re.MULTILINE):
            continue
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = importlib.import_module(".".join(parts[: -1 if parts[-1] == "__init__" else None]))
        for value in (inspect.unwrap(getattr(module, name)) for name in module.__all__):
            if inspect.isfunction(value) or inspect.isclass(value):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    return {name: value for name, value in sorted(found.items()) if name.startswith("dlcc.")}


def public_functions() -> dict[str, Public]:
    """Every public function, constructor and method, by its full name.

    Methods that a framework calls, because a base class of its own has them, are not for users.
    """
    found: dict[str, Public] = {}
    for name, value in exported().items():
        if isinstance(value, FunctionType):
            found[name] = Public(value)
            continue
        assert isinstance(value, type)
        foreign = {a for base in value.__mro__ if not is_ours(base) for a in vars(base)}
        for attribute, member in vars(value).items():
            plain = getattr(member, "__func__", member)  # of class and static methods
            plain = inspect.unwrap(plain) if callable(plain) else plain
            made = isinstance(plain, FunctionType) and plain.__code__.co_filename.endswith(".py")
            shown = attribute == "__init__" or not (
                attribute.startswith("_") or attribute in foreign
            )
            if made and shown and is_ours(plain):
                found[f"{name}.{attribute}"] = Public(plain, value)
    return found


def is_ours(thing: type | FunctionType) -> bool:
    return thing.__module__.partition(".")[0] == "dlcc"


FUNCTIONS = public_functions()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_tells_arguments_result_errors_and_an_example(name: str) -> None:
    assert left_out(FUNCTIONS[name]) == []


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
