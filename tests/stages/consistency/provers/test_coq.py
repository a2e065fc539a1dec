"""Certificates: what `coqc` accepts counts, and only on the axioms of the real numbers."""

from __future__ import annotations

import shutil

import pytest

from dlcc.stages.consistency.provers.coq import (
    PREAMBLE,
    NotWrittenError,
    certify,
    is_accepted,
    theorem_of,
)
from dlcc.stages.consistency.provers.lean import lean_source
from dlcc.stages.consistency.provers.statement import parse_statement

needs_coq = pytest.mark.skipif(shutil.which("coqc") is None, reason="coqc is not installed")


@pytest.mark.parametrize(
    ("text", "theorem"),
    [
        ("a | x real | (x - 1)**2 >= 0", "forall x : R, (-1 + x) ^ 2 >= 0."),
        ("a | x real | x = 1/3", "forall x : R, x = (1 / 3)."),
        ("a | x > 0 | 1/x > 0", "forall x : R, 0 < x -> / (x) > 0."),
        ("a | x in [-0.5, 1) | x < 1", "forall x : R, (- (1 / 2)) <= x -> x < 1 -> x < 1."),
    ],
)
def test_statements_as_theorems(text: str, theorem: str) -> None:
    written = theorem_of(parse_statement(text))
    assert written.replace("-1", "(- 1)") == f"Theorem claim : {theorem}\n".replace("-1", "(- 1)")


def test_what_cannot_be_written_is_refused() -> None:
    from dataclasses import replace

    import sympy as sp

    statement = parse_statement("a | x real | x = x")
    with pytest.raises(NotWrittenError):
        theorem_of(replace(statement, left=sp.sin(next(iter(statement.domains)))))


@needs_coq
def test_a_true_statement_has_a_certificate() -> None:
    found = certify(parse_statement("a | x real | softplus(-x) = softplus(x) - x"))
    assert found is not None
    assert found.text.startswith(PREAMBLE)


@needs_coq
@pytest.mark.parametrize(
    "proof",
    [
        "Proof. Admitted.",
        "Proof. admit. Abort.",
        "Proof. lra. Qed.",
        "Proof. exact cheat. Qed.",
    ],
)
def test_what_proves_nothing_is_not_accepted(proof: str) -> None:
    extra = "Axiom cheat : 0 = 1.\n" if "cheat" in proof else ""
    text = f"{PREAMBLE}{extra}Theorem claim : 0 = 1.\n{proof}\nPrint Assumptions claim.\n"
    assert not is_accepted(text)


def test_lean_source_has_every_statement_and_says_that_nobody_checked_it() -> None:
    claims = ("one | p in (0, 1] | log(p) <= p - 1", "two | x real | x = x")
    text = lean_source([parse_statement(claim) for claim in claims])
    assert text.startswith("-- Written by dlcc; not checked.")
    assert "theorem one (p : ℝ) (h0 : 0 < p) (h1 : p ≤ 1) :" in text
    assert text.count("sorry") == 2
