"""Statements as people write them, and what is refused in a sentence."""

from __future__ import annotations

import pytest
import sympy as sp

from dlcc.errors import OptionError
from dlcc.stages.consistency.provers.statement import parse_statement, parse_statements


@pytest.mark.parametrize(
    ("variables", "domain"),
    [
        ("x real", "(-oo, oo)"), ("x > 0", "(0, oo)"), ("x >= -1.5", "[-1.5, oo)"),
        ("x in (0, 1]", "(0, 1]"), ("x in [0, oo)", "[0, oo)"), ("x < 3", "(-oo, 3)"),
    ],
)  # fmt: skip
def test_domains(variables: str, domain: str) -> None:
    found = parse_statement(f"a | {variables} | x = x")
    assert [d.words for d in found.domains.values()] == [domain]


def test_what_a_side_divides_by_is_kept_although_algebra_cancels_it() -> None:
    found = parse_statement("a | x real | x/x + log(x) - log(x) = 1")
    assert found.difference == 0
    (x,) = found.domains
    assert set(found.conditions) == {(x, "!="), (x, ">")}


def test_functions_are_those_of_the_field() -> None:
    found = parse_statement("a | x real | sigmoid(x) = max(0, min(x, abs(x)))")
    (x,) = found.domains
    assert found.left == 1 / (1 + sp.exp(-x))


@pytest.mark.parametrize(
    "text",
    [
        "x = x", "a | x real | x", "a | x real | x = x = x", "a | x | x = x", "| x real | x = x",
        "a | x real | y = x", "a | x real | __import__('os') = x", "a | x real | x.real = x",
        "a | x real | open('x') = x", "a | x real | [x] = x", "a | x real | (lambda: 1)() = x",
        "a | x real | x**999 = x", "a | x real | x**x = x", "a | x real | 9**9**9 = x",
        "a | x real | 1e300 = x", "a | x in (1, 0) | x = x", "a | x in (a, b) | x = x",
        "a | x real | exp(x, y=1) = x", "a | x real | " + "(" * 300 + " = x",
        "a | x real | " + "-" * 3000 + "x = x", "a | x real | x if x else x = x",
        "a | x > 0, x < 1 | x = x", "a | x in (-inf, 1) | x = x", "a | x in (0, foo) | x = x",
        "a | x in (0, -oo) | x = x", "a | x real | exp(exp(exp(exp(x)))) = x",
        "a | x real | diff(x, x, 3000) = x", "a | x real | ((9**64)**64)**64 = x",
        "a | a real, b real, c real | ((a + b + c + 1)**64)**64 >= 0",
        "a | x real | 'text' = x", "a | x real | True = x",
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_nothing_is_run(text: str) -> None:
    with pytest.raises(OptionError):
        parse_statement(text)


def test_files_have_comments_and_each_name_once() -> None:
    text = "# a file\na | x real | x = x  # trivial\n\nb | x > 0 | x >= 0\n"
    assert [s.name for s in parse_statements(text)] == ["a", "b"]
    with pytest.raises(OptionError, match="line 2: a is there already"):
        parse_statements("a | x real | x = x\na | x real | x = x")
    with pytest.raises(OptionError, match="line 1"):
        parse_statements("nonsense")


@pytest.mark.parametrize("claim", ["x >=", "<= x", "x"])
def test_a_claim_without_a_side_is_told_so(claim: str) -> None:
    with pytest.raises(OptionError, match="between two sides, found"):
        parse_statement(f"a | x real | {claim}")
