"""Obligations of a record, each with its verdict, as the consistency stage checks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["proved", "held", "refuted", "unknown"]
"""Outcome of an obligation: proved; held at every point that was tried, which is weaker; refuted by
a counterexample; or undecided."""
ObligationKind = Literal["record", "symbolic"]


@dataclass(frozen=True)
class Obligation:
    """Statement that must hold, and what became of it."""

    id: str
    kind: ObligationKind
    statement: str
    verdict: Verdict
    method: str
    """Method that decided the statement: `sympy`, `counterexample`, `recomputed from the probe` and
    others."""
    place: str | None = None
    counterexample: str | None = None
    reason: str | None = None
    """Reason why the statement is undecided; None where it was decided."""


@dataclass(frozen=True)
class Obligations:
    """All obligations of the consistency stage."""

    items: tuple[Obligation, ...]
