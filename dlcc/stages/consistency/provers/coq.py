"""Certificates in Coq: the statement as a theorem, and tactics that a compiler has accepted.

The file begins with the few functions of the field and lemmas on them, which are proved in it, too.
A certificate counts only if `coqc` ends without an error, nothing in it is admitted, and the
theorem rests on no assumption but the axioms of the real numbers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import sympy as sp

from dlcc.stages.consistency.provers.statement import Domain, Statement

SECONDS = 40.0
PREAMBLE = """\
From Coq Require Import Reals Lra Lia Psatz.
From Interval Require Import Tactic.
Open Scope R_scope.

Lemma exp_of_opp : forall x, exp (- x) = / exp x.
Proof. intro x; apply exp_Ropp. Qed.
Lemma one_exp_pos : forall x, 0 < 1 + exp x.
Proof. intro x; pose proof (exp_pos x); lra. Qed.
Lemma softplus_pos : forall x, 0 < ln (1 + exp x).
Proof.
  intro x; rewrite <- ln_1; apply ln_increasing; [ lra | pose proof (exp_pos x); lra ].
Qed.
Lemma softplus_neg : forall x, ln (1 + exp (- x)) = ln (1 + exp x) - x.
Proof.
  intro x; replace (1 + exp (- x)) with ((1 + exp x) * exp (- x)).
  - rewrite ln_mult; [ rewrite ln_exp; lra | apply one_exp_pos | apply exp_pos ].
  - rewrite exp_of_opp; field; pose proof (exp_pos x); lra.
Qed.
Lemma softplus_above : forall x, x < ln (1 + exp x).
Proof.
  intro x; pose proof (softplus_pos (- x)); rewrite softplus_neg in H; lra.
Qed.
Lemma ln_below : forall u, 0 < u -> ln u <= u - 1.
Proof.
  intros u H; rewrite <- (ln_exp (u - 1)); destruct (Req_dec u 1).
  - subst; replace (1 - 1) with 0 by lra; rewrite exp_0; lra.
  - apply Rlt_le, ln_increasing; [ exact H | ].
    pose proof (exp_ineq1 (u - 1)); lra.
Qed.
Lemma exp_above : forall x, 1 + x <= exp x.
Proof.
  intro x; destruct (Req_dec x 0); [ subst; rewrite exp_0; lra | ].
  pose proof (exp_ineq1 x); lra.
Qed.
"""
TACTICS = """\
  intros;
  repeat match goal with |- context [exp (- ?x)] => rewrite (exp_of_opp x) end;
  repeat match goal with |- context [exp ?x] =>
    lazymatch goal with H : 0 < exp x |- _ => fail | _ => pose proof (exp_pos x) end end;
  first
    [ solve [ lra ]
    | solve [ nra ]
    | solve [ field; repeat split; lra ]
    | solve [ field; repeat split; nra ]
    | solve [ field_simplify; try lra; try nra ]
    | solve [ unfold Rmax, Rmin, Rabs; repeat destruct (Rle_dec _ _); repeat destruct (Rcase_abs _);
              lra || nra ]
    | solve [ interval ]
    | solve [ interval with (i_bisect x, i_taylor x) ]
    | solve [ interval with (i_bisect p, i_taylor p) ]
    ].
"""
SOFTPLUS_TACTICS = """\
  intros;
  repeat match goal with |- context [ln (1 + exp (- ?x))] => rewrite (softplus_neg x) end;
  repeat match goal with |- context [ln (1 + exp ?x)] =>
    lazymatch goal with H : 0 < ln (1 + exp x) |- _ => fail
    | _ => pose proof (softplus_pos x); pose proof (softplus_above x) end end;
  first
    [ solve [ lra ]
    | solve [ nra ]
    | solve [ field; lra ]
    | solve [ unfold Rmax, Rmin, Rabs; repeat destruct (Rle_dec _ _); repeat destruct (Rcase_abs _);
              lra || nra ]
    ].
"""
LEMMA_TACTICS = """\
  intros;
  repeat match goal with |- context [exp ?x] =>
    lazymatch goal with H : 1 + x <= exp x |- _ => fail
    | _ => pose proof (exp_above x); pose proof (exp_pos x) end end;
  repeat match goal with |- context [ln ?u] =>
    lazymatch goal with H : ln u <= u - 1 |- _ => fail
    | _ => assert (ln u <= u - 1) by (apply ln_below; lra || nra) end end;
  first [ solve [ lra ] | solve [ nra ] ].
"""
_SCRIPTS = (TACTICS, SOFTPLUS_TACTICS, LEMMA_TACTICS)
_AXIOMS = re.compile(
    r"^(?:ClassicalDedekindReals\.\w+|FunctionalExtensionality\.\w+|Classical_Prop\.classic|"
    r"PrimInt63\.\w+|Uint63\.\w+|PrimFloat\.\w+|FloatAxioms\.\w+|FloatOps\.\w+|Int63\.\w+|"
    r"PrimitiveFloat\.\w+|Rdefinitions\.\w+|Raxioms\.\w+|sig_\w+|functional_extensionality_dep)\b"
)


@dataclass(frozen=True)
class Certificate:
    """Theorem with a proof that `coqc` accepts."""

    text: str
    """Whole file."""


def is_available() -> bool:
    """Tell whether `coqc` is installed."""
    return shutil.which("coqc") is not None


def certify(statement: Statement, seconds: float = SECONDS) -> Certificate | None:
    """Find a proof that `coqc` accepts; None where no script that is known here does.

    Args:
        statement: Statement to prove.
        seconds: Time for each script.

    Returns:
        Certificate, which was compiled and whose assumptions were looked at.
    """
    try:
        theorem = theorem_of(statement)
    except NotWrittenError:
        return None
    for script in _SCRIPTS:
        text = f"{PREAMBLE}\n{theorem}Proof.\n{script}Qed.\n\nPrint Assumptions claim.\n"
        if is_accepted(text, seconds):
            return Certificate(text)
    return None


def is_accepted(text: str, seconds: float = SECONDS) -> bool:
    """Tell whether `coqc` accepts a file that proves `claim`, on the axioms of the reals alone."""
    if re.search(r"\b(?:Admitted|admit|Axiom|Parameter|Hypothesis|Conjecture)\b", text):
        return False
    with tempfile.TemporaryDirectory(prefix="dlcc-coq-") as folder:
        path = Path(folder) / "claim.v"
        path.write_text(text, encoding="utf-8")
        try:
            done = subprocess.run(
                ["coqc", "-q", path.name],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except (subprocess.TimeoutExpired, OSError):
            return False
    if done.returncode != 0:
        return False
    assumed = done.stdout.partition("Axioms:")[2].splitlines()
    names = [line for line in assumed if line and not line[0].isspace()]
    return all(_AXIOMS.match(name) for name in names)


class NotWrittenError(Exception):
    """Statement that has no counterpart in Coq here."""


def theorem_of(statement: Statement) -> str:
    """Write a statement as a theorem named `claim`.

    Raises:
        NotWrittenError: It has something that is not written here.

    >>> from dlcc.stages.consistency.provers.statement import parse_statement
    >>> print(theorem_of(parse_statement("a | p in (0, 1] | p*(1 - p) >= 0")))
    Theorem claim : forall p : R, 0 < p -> p <= 1 -> p * (1 + (- p)) >= 0.
    <BLANKLINE>
    """
    names = " ".join(s.name for s in statement.domains)
    bounds = [b for s, d in statement.domains.items() for b in _bounds(s.name, d)]
    claim = f"{term(statement.left)} {statement.relation} {term(statement.right)}"
    quantified = f"forall {names} : R, " if names else ""
    return f"Theorem claim : {quantified}{' -> '.join([*bounds, claim])}.\n"


def term(e: sp.Expr) -> str:
    """Write an expression in Coq."""
    if e.is_Rational:
        return _rational(e)
    if isinstance(e, sp.Symbol):
        return str(e.name)
    if isinstance(e, sp.exp) or (isinstance(e, sp.Pow) and e.args[0] == sp.E):
        return f"exp ({term(e.args[-1])})"
    if isinstance(e, sp.log):
        return f"ln ({_one_first(e.args[0])})"
    if isinstance(e, sp.Add):
        return " + ".join(_factor(a, add=True) for a in e.args).replace("+ -", "- ")
    if isinstance(e, sp.Mul):
        return _product(e)
    if isinstance(e, sp.Max | sp.Min):
        name = "Rmax" if isinstance(e, sp.Max) else "Rmin"
        found = f"({term(e.args[0])})"
        for argument in e.args[1:]:
            found = f"({name} {found} ({term(argument)}))"
        return found
    if isinstance(e, sp.Abs):
        return f"Rabs ({term(e.args[0])})"
    if isinstance(e, sp.Pow):
        base, exponent = e.args
        if exponent.is_Integer and exponent > 0:
            return f"({term(base)}) ^ {exponent}"
        if exponent.is_Integer:
            inner = f"({term(base)})" if exponent == -1 else f"(({term(base)}) ^ {-exponent})"
            return f"/ {inner}"
        if exponent == sp.Rational(1, 2):
            return f"sqrt ({term(base)})"
    raise NotWrittenError(str(e.func))


def _product(e: sp.Mul) -> str:
    coefficient, rest = e.as_coeff_Mul()
    if coefficient == -1:
        return f"- ({term(rest)})" if isinstance(rest, sp.Add) else f"- {_factor(rest)}"
    return " * ".join(_factor(a) for a in e.args)


def _factor(e: sp.Expr, *, add: bool = False) -> str:
    text = term(e)
    plain = isinstance(e, sp.Symbol) or (e.is_Integer and e >= 0)
    return text if plain or (add and not text.startswith("-")) else f"({text})"


def _one_first(e: sp.Expr) -> str:
    """Write 1 + e^x with the one in front, as the lemmas have it."""
    if isinstance(e, sp.Add) and sp.Integer(1) in e.args and len(e.args) == 2:
        (other,) = [a for a in e.args if a != 1]
        return f"1 + {_factor(other, add=True)}"
    return term(e)


def _rational(e: sp.Rational) -> str:
    number = str(abs(e.p)) if e.q == 1 else f"({abs(e.p)} / {e.q})"
    return number if e.p >= 0 else f"(- {number})"


def _bounds(name: str, domain: Domain) -> Sequence[str]:
    found = []
    if domain.low is not None:
        found.append(f"{_decimal(domain.low)} {'<' if domain.low_open else '<='} {name}")
    if domain.high is not None:
        found.append(f"{name} {'<' if domain.high_open else '<='} {_decimal(domain.high)}")
    return found


def _decimal(value: float) -> str:
    return _rational(sp.Rational(str(value)))
