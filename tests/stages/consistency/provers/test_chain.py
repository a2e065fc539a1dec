"""The chain of provers: nothing false is proved, whatever is done to what is true."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import sympy as sp

from dlcc.errors import OptionError
from dlcc.stages.consistency.provers import algebra, z3_prover
from dlcc.stages.consistency.provers.chain import available, decide
from dlcc.stages.consistency.provers.statement import Statement, parse_statement, parse_statements

STATEMENTS = Path(__file__).parents[4] / "benchmarks" / "statements"
needs_z3 = pytest.mark.skipif(
    importlib.util.find_spec("z3") is None, reason="z3-solver is not installed"
)


def statements(name: str) -> list[Statement]:
    return parse_statements((STATEMENTS / f"{name}.txt").read_text())


@pytest.mark.parametrize("statement", statements("false_first"), ids=lambda s: s.name)
def test_what_is_false_is_refuted_at_a_point(statement: Statement) -> None:
    decision = decide(statement, ["sympy"])
    assert (decision.verdict, decision.method) == ("refuted", "numbers")
    assert decision.reason.startswith("at ")


@needs_z3
@pytest.mark.parametrize("statement", statements("true_first"), ids=lambda s: s.name)
def test_what_is_true_is_proved(statement: Statement) -> None:
    assert decide(statement).verdict == "proved"


@needs_z3
@pytest.mark.parametrize("statement", statements("false_first"), ids=lambda s: s.name)
def test_no_prover_alone_proves_what_is_false(statement: Statement) -> None:
    """Where all that it computes is defined: what is not is refused before they are asked."""
    if algebra.is_defined(statement):
        assert not algebra.prove(statement)
        assert not z3_prover.prove(statement)


@pytest.mark.parametrize("statement", statements("true_first"), ids=lambda s: s.name)
def test_a_true_identity_with_something_added_is_no_longer_proved(statement: Statement) -> None:
    if statement.relation != "=":
        return
    changed = replace(statement, right=statement.right + sp.Rational(1, 10**6))
    assert decide(changed, ["sympy"]).verdict == "refuted"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("a | x real | x/x = 1", "refuted"),
        ("a | x > 0 | x/x = 1", "proved"),
        ("a | x real | exp(log(x)) = x", "refuted"),
        ("a | x real | log(x) - log(x) = 0", "refuted"),
        ("a | x real | sqrt(x)**2 = x", "refuted"),
        ("a | p in [0, 1] | p*log(p) <= 0", "refuted"),  # of 0 there is no logarithm
        ("a | p in [0, 1] | p > 0", "refuted"),
        ("a | p in [0, 1] | p >= 0", "proved"),
        ("a | p in (0, 1) | 1/p > 1", "proved"),
        ("a | x real | (x - 1.2345678)**2 >= 0.00000001", "refuted"),  # narrow
    ],
)
def test_domains_and_what_is_not_defined(text: str, verdict: str) -> None:
    assert decide(parse_statement(text), ["sympy"]).verdict == verdict


def test_provers_are_asked_by_name() -> None:
    assert available("sympy") == ["sympy"]
    assert "sympy" in available("auto")
    with pytest.raises(OptionError, match="expected auto"):
        available("isabelle")
