"""A stage of one's own, as docs/stages.md shows it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import dlcc
from dlcc.records import Series


@dataclass(frozen=True)
class Calm(dlcc.Stage):
    """Share of steps at which the generator's gradient stays below a multiple of its median."""

    name: ClassVar = "calm"
    needs: ClassVar = (Series,)

    factor: float = 3.0  # times the median

    def __call__(self, case: dlcc.Case, ctx: dlcc.Context) -> dlcc.StageResult:
        column = case[Series].columns.get("generator/grad_norm")
        if column is None:
            raise dlcc.NotApplicable("the run logs no generator/grad_norm")
        calm = column.values < self.factor * np.median(column.values)
        return dlcc.StageResult(
            terms={"calm": dlcc.Estimate.proportion(int(calm.sum()), len(calm))},
            details={"note": f"{int(calm.sum())} of {len(calm)} steps"},
        )
