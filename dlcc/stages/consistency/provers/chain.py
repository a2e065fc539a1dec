"""Chain of provers: numbers refute first, then sympy and Z3 prove, and Coq certifies.

Refuted beats proved, and nothing is proved whose sides are not known to be defined.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dlcc.errors import OptionError
from dlcc.stages.consistency.provers import algebra, coq, numbers, z3_prover
from dlcc.stages.consistency.provers.coq import Certificate
from dlcc.stages.consistency.provers.statement import Statement

Verdict = Literal["proved", "refuted", "unknown"]
PROVERS = ("sympy", "z3", "coq")
"""Provers by name, in the order in which they are tried."""


@dataclass(frozen=True)
class Decision:
    """Outcome of a statement."""

    statement: Statement
    """Statement."""
    verdict: Verdict
    """Verdict."""
    method: str
    """Prover that decided; empty for none."""
    reason: str
    """Counterexample, or why nothing was decided; empty where it was proved."""
    certificate: Certificate | None
    """Coq certificate that was compiled; None without one."""
    seconds: float
    """Time that it took."""


def available(named: str) -> Sequence[str]:
    """List the provers to use: those of a name, or with `auto` all that are installed.

    Raises:
        OptionError: There is no such prover, or it is not installed.
    """
    there = {"sympy": True, "z3": z3_prover.is_available(), "coq": coq.is_available()}
    if named == "auto":
        return [name for name in ("sympy", "z3") if there[name]]
    if named not in PROVERS:
        raise OptionError(f"--prover {named}: expected auto, {', '.join(PROVERS)}")
    if not there[named]:
        how = {"z3": "pip install 'dlcc[prove]'", "coq": "install coq and coq-interval"}[named]
        raise OptionError(f"--prover {named}: not installed; {how}")
    return [named]


def decide(
    statement: Statement, provers: Sequence[str] = ("sympy", "z3"), *, certify: bool = False
) -> Decision:
    """Decide a statement.

    Args:
        statement: Statement.
        provers: Names of the provers that may be used.
        certify: Whether a Coq certificate is looked for where it was proved otherwise, too.

    Returns:
        Verdict, with a counterexample or the prover, and a certificate where Coq gave one.

    >>> from dlcc.stages.consistency.provers.statement import parse_statement
    >>> decide(parse_statement("a | x real | softplus(x) > x"), ["sympy"]).verdict
    'proved'
    """
    started = time.perf_counter()

    def made(
        verdict: Literal["proved", "refuted", "unknown"], method: str, reason: str
    ) -> Decision:
        return Decision(
            statement, verdict, method, reason, certificate, time.perf_counter() - started
        )

    certificate: Certificate | None = None
    counterexample = numbers.refute(statement)
    if counterexample is not None:
        return made("refuted", "numbers", counterexample)
    if "coq" in provers or certify:
        certificate = coq.certify(statement) if coq.is_available() else None
    if not algebra.is_defined(statement):
        return made("unknown", "", "it is not known that both sides are defined everywhere")
    if "sympy" in provers and algebra.prove(statement):
        return made("proved", "sympy", "")
    if "z3" in provers and z3_prover.prove(statement):
        return made("proved", "z3", "")
    if certificate is not None:
        return made("proved", "coq", "")
    return made("unknown", "", "no counterexample was found, and no proof")
