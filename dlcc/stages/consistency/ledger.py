"""Ledger of obligations as they are checked, with a finding for each that is refuted."""

from __future__ import annotations

from dataclasses import dataclass, field

from dlcc.findings import Finding
from dlcc.records import Obligation, ObligationKind


@dataclass
class Ledger:
    """Obligations in the order in which they were checked, and the findings of refuted ones."""

    obligations: list[Obligation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def proved(self, id_: str, kind: ObligationKind, statement: str, method: str) -> None:
        """Note a statement that holds."""
        self.obligations.append(Obligation(id_, kind, statement, "proved", method))

    def held(self, id_: str, kind: ObligationKind, statement: str, method: str) -> None:
        """Note a statement that holds at every point that was tried."""
        self.obligations.append(Obligation(id_, kind, statement, "held", method))

    def unknown(self, id_: str, kind: ObligationKind, statement: str, reason: str) -> None:
        """Note a statement that nobody could decide."""
        self.obligations.append(Obligation(id_, kind, statement, "unknown", "none", reason=reason))

    def refuted(
        self, id_: str, kind: ObligationKind, statement: str, method: str, finding: Finding
    ) -> None:
        """Note a statement that is false; the finding says where and how."""
        self.obligations.append(
            Obligation(
                id_,
                kind,
                statement,
                "refuted",
                method,
                place=finding.place,
                counterexample=finding.message,
            )
        )
        self.findings.append(finding)
