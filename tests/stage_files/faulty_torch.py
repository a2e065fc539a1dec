"""A stage that breaks a rule with torch, which the others need not pay for in every process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from dlcc import Case, Context, Estimate, Stage, StageResult
from dlcc.records import Series


@dataclass(frozen=True)
class GlobalTorch(Stage):
    """Draws from torch's global generator."""

    name: ClassVar = "global_torch"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return StageResult(terms={"x": Estimate.exactly(float(torch.rand(())))})
