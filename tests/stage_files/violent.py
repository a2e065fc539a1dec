"""Stages that harm their process."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import ClassVar

from dlcc import Case, Context, Stage, StageResult
from dlcc.records import Series


@dataclass(frozen=True)
class Raises(Stage):
    """Raises."""

    name: ClassVar = "raises"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        raise ZeroDivisionError("on purpose")


@dataclass(frozen=True)
class Dies(Stage):
    """Kills its process."""

    name: ClassVar = "dies"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        os.kill(os.getpid(), 9)
        return StageResult()


@dataclass(frozen=True)
class Gorges(Stage):
    """Asks for 100 GB at once."""

    name: ClassVar = "gorges"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return StageResult(details={"n": len(bytearray(100 << 30))})


@dataclass(frozen=True)
class Swells(Stage):
    """Takes more and more."""

    name: ClassVar = "swells"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        kept = []
        while True:
            kept.append(os.urandom(8 << 20))


@dataclass(frozen=True)
class Sleeps(Stage):
    """Never ends."""

    name: ClassVar = "sleeps"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        while True:
            time.sleep(60)
