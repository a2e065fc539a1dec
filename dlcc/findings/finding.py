"""One thing that a stage noticed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dlcc.findings.catalogue import CodePage, Severity, page

Evidence = str | int | float | bool | None | tuple[float, ...]


@dataclass(frozen=True)
class Finding:
    """A stable code, where and when it holds, and what shows it.

    Title, severity and remedy stand on the code's page (`dlcc explain CODE`).
    """

    code: str
    message: str
    """One sentence with the figures of this run."""
    player: str | None = None
    first_step: int | None = None
    last_step: int | None = None
    place: str | None = None
    """Where in the folder: `source/train.py:41`, `snapshots/00001200`, `documents/method.md:17`."""
    evidence: Mapping[str, Evidence] = field(default_factory=dict)

    @property
    def page(self) -> CodePage:
        """The catalogue's page of this code."""
        return page(self.code)

    @property
    def severity(self) -> Severity:
        """error, warning or note, as the catalogue has it."""
        return self.page.severity
