"""Rules for docstrings: what they see in small functions, whole and with something left out."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from torch import Tensor

from dlcc.errors import OptionError, RunError
from tests.docstring_rules import Public, entries, examples, left_out, sections


def whole(x: Tensor, names: Mapping[str, int], seed: int = 0) -> Tensor:
    """Do nothing.

    Args:
        x: Rows [n, d].
        names: Name to number; a further
            x-axis: of no matter.
        seed: Seed.

    Returns:
        Rows [n, d].

    Raises:
        ValueError: It is a Monday.

    >>> whole
    """
    raise ValueError


def test_a_docstring_that_tells_all_leaves_nothing_out() -> None:
    assert left_out(Public(whole)) == []


def test_sections_end_where_the_indent_does_and_entries_begin_their_lines() -> None:
    told = sections(str(whole.__doc__).replace("\n    ", "\n"))
    assert list(told) == ["Args", "Returns", "Raises"]
    assert list(entries(told["Args"])) == ["x", "names", "seed"]
    assert entries("lr (float): Rate.\nno entry: either\n*more: Others.") == {
        "lr": "Rate.",
        "more": "Others.",
    }


def test_examples_that_are_skipped_do_not_count() -> None:
    text = ">>> a = f()  # doctest: +SKIP\n... more\n>>> b = g()\n... more"
    assert examples(text) == ">>> b = g()\n... more"


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("x: Rows [n, d].", "xx: Rows [n, d].", "argument x"),
        ("x: Rows [n, d].", "x: Rows.", "shape of argument x"),
        ("x: Rows [n, d].", "x: As for `other`, [n, d].", "what argument x is"),
        ("x: Rows [n, d].", "x: A scalar.", ""),
        ("seed: Seed.", "seed: likewise.", "what argument seed is"),
        ("        seed: Seed.\n", "", "argument seed"),
        ("Returns:\n        Rows [n, d].", "Returns:\n        Rows.", "shape of what is returned"),
        ("Returns:", "Results:", "what is returned"),
        ("ValueError: It", "TypeError: It", "error ValueError"),
        ("ValueError: It", "Exception: It", ""),
        ("It is a Monday.", "As of `other`.", "what ValueError is raised for"),
        ("It is a Monday.", "Rows that cannot be used.", "what ValueError is raised for"),
        (">>> whole", ">>> whole  # doctest: +SKIP", "an example"),
    ],
)
def test_what_is_left_out_is_named(
    old: str, new: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert old in str(whole.__doc__)
    monkeypatch.setattr(whole, "__doc__", str(whole.__doc__).replace(old, new))
    assert left_out(Public(whole)) == ([missing] if missing else [])


def test_a_formula_needs_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "__module__", "dlcc.metrics.cells")
    text = str(whole.__doc__)
    for formula, missing in [
        ("Sum Σ x.", ["the source of the formula"]),
        ("Sum Σ x (Pearson 1900).", []),
        ("Sum Σ x, a measure of this package.", []),
    ]:
        monkeypatch.setattr(whole, "__doc__", text.replace("Do nothing.", formula))
        assert left_out(Public(whole)) == missing


def _helper(x: int) -> None:
    if x:
        raise ValueError
    raise OptionError("")


def told_helper() -> None:
    """Open.

    Raises:
        RunError: No.
    """
    raise RunError("")


class Made:
    """Thing with a method.

    >>> Made(1).again()
    """

    def __init__(self, x: int) -> None:
        told_helper()

    def again(self) -> None:
        """Do it again."""
        self._checked()

    def _checked(self) -> None:
        raise OptionError("")


def calls_helper() -> None:
    _helper(1)


def calls_told() -> None:
    told_helper()


def makes() -> None:
    Made(1)


def catches() -> None:
    try:
        _helper(1)
    except (OptionError, ValueError):
        print("caught")
    with contextlib.suppress(RunError):
        told_helper()


def turns_into_another() -> None:
    try:
        told_helper()
    except RunError as error:
        raise OptionError("") from error


@pytest.mark.parametrize(
    ("function", "errors"),
    [
        (calls_helper, ["OptionError", "ValueError"]),
        (calls_told, ["RunError"]),
        (makes, ["RunError"]),
        (catches, []),
        (turns_into_another, ["OptionError"]),
    ],
)
def test_errors_of_what_is_called_are_to_be_told(
    function: Callable[[], Any], errors: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(function, "__doc__", "Do.\n\n>>> 1\n1")
    assert left_out(Public(function)) == [f"error {name}" for name in errors]


def test_a_class_stands_for_its_constructor_and_shows_its_methods() -> None:
    assert left_out(Public(Made.__init__, Made)) == ["argument x", "error RunError"]
    assert left_out(Public(Made.again, Made)) == ["error OptionError"]
