"""A stage of one's own with a finding of its own; its page lies in findings/codes/ beside it."""

from dataclasses import dataclass
from typing import ClassVar

import dlcc
from dlcc.records import Series


@dataclass(frozen=True)
class Noticing(dlcc.Stage):
    """Notices how many quantities there are."""

    name: ClassVar = "noticing"
    needs: ClassVar = (Series,)

    def __call__(self, case: dlcc.Case, ctx: dlcc.Context) -> dlcc.StageResult:
        count = len(case[Series].columns)
        return dlcc.StageResult(findings=[dlcc.Finding("MYS001", f"There are {count} series.")])
