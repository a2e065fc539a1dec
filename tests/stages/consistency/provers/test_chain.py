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
        ("a | x real | (x**0.5)**2 = x", "refuted"),
        ("a | x real | (x**(1/3))**3 = x", "refuted"),
        ("a | x real | ((-1)**0.5*x)**2 <= 0", "refuted"),
        ("a | x in [2, 5] | log(x) + log(3) > log(6)", "not proved"),  # equal at 2
        ("a | x > 1, q_x > 0 | (x - q_x - 3.14159265)**2 > 0", "not proved"),
        ("a | x real, e_x > 0 | (exp(x) - e_x - 3.14159265)**2 > 0", "not proved"),
        (
            "a | a in [0, 1], b real, c real, d real, e real | (1 - a)*(1 + b**2 + c**2) > 0",
            "refuted",
        ),
        ("a | a in [0, 1], b real, c real, d real, e real | (1 + b**2)/(1 - a) > 0", "refuted"),
        pytest.param("a | x real | tanh(5*x) < 1", "not refuted", marks=pytest.mark.slow),
        ("a | x real | exp(x**2)*(1 + exp(-x**2)) - exp(x**2) = 1", "not refuted"),
    ],
)
def test_domains_and_what_is_not_defined(text: str, verdict: str) -> None:
    found = decide(parse_statement(text), ["sympy"]).verdict
    assert found != verdict.removeprefix("not ") if "not " in verdict else found == verdict


def test_provers_are_asked_by_name() -> None:
    assert available("sympy") == ["sympy"]
    assert "sympy" in available("auto")
    with pytest.raises(OptionError, match="expected auto"):
        available("isabelle")
