"""A stage of one's own, with a term and a finding."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import dlcc
from dlcc.records import Series


@dataclass(frozen=True)
class Smoothness(dlcc.Stage):
    """Share of steps from which the loss does not rise by more than a tenth."""

    name: ClassVar = "smoothness"
    needs: ClassVar = (Series,)

    rise: float = 0.1  # of the loss

    def __call__(self, case: dlcc.Case, ctx: dlcc.Context) -> dlcc.StageResult:
        column = case[Series].columns.get("model/loss")
        if column is None:
            raise dlcc.NotApplicable("the run logs no model/loss")
        rises = np.diff(column.values) > self.rise * np.abs(column.values[:-1])
        findings = []
        if rises.any():
            step = int(column.steps[1:][rises][0])
            message = f"The loss rises by more than {self.rise:.0%} in {int(rises.sum())} steps."
            findings = [dlcc.Finding("DRF002", message, player="model", first_step=step)]
        smooth = dlcc.Estimate.proportion(int((~rises).sum()), len(rises))
        return dlcc.StageResult(terms={"smoothness": smooth}, findings=findings)
