"""Two stages that wait for each other: alone, neither would end in time."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from dlcc.stage import Case, Context, Stage, StageResult


def meet(folder: str, own: str, other: str) -> StageResult:
    Path(folder, own).touch()
    end = time.monotonic() + 60
    while not Path(folder, other).exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{other} did not come")
        time.sleep(0.02)
    return StageResult(details={"met": other})


@dataclass(frozen=True)
class First(Stage):
    """Waits for the second."""

    name: ClassVar = "first"
    folder: str = ""

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return meet(self.folder, "first", "second")


@dataclass(frozen=True)
class Second(Stage):
    """Waits for the first."""

    name: ClassVar = "second"
    folder: str = ""

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return meet(self.folder, "second", "first")
