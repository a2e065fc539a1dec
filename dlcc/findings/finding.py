"""Finding: one thing that a stage noticed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dlcc.findings.catalogue import CodePage, Severity, page

Evidence = str | int | float | bool | None | tuple[float, ...]


@dataclass(frozen=True)
class Finding:
    """Finding of a stage: a stable code, where and when it holds, and what shows it.

    Title, severity and remedy stand on the code's page (`dlcc explain CODE`).
    """

    code: str
    message: str
    """Sentence with the figures of this run."""
    player: str | None = None
    first_step: int | None = None
    last_step: int | None = None
    place: str | None = None
    """Place in the folder, such as `source/train.py:41`, `snapshots/00001200`,
    `documents/method.md:17`."""
    evidence: Mapping[str, Evidence] = field(default_factory=dict)

    @property
    def page(self) -> CodePage:
        """Page of the finding's code in the catalogue."""
        return page(self.code)

    @property
    def severity(self) -> Severity:
        """Severity of the finding's code in the catalogue: error, warning or note."""
        return self.page.severity
