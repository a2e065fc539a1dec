"""Stages that each break one rule of the stage API; the kit must name it."""

from __future__ import annotations

import datetime
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlcc import Case, Context, Estimate, Finding, Stage, StageResult
from dlcc.codec import Array
from dlcc.records import Samples, Series, Snapshots


@dataclass(frozen=True)
class Note:
    text: str
    array: Array


def share(value: float) -> StageResult:
    return StageResult(terms={"x": Estimate.exactly(value)})


@dataclass(frozen=True)
class GlobalRandom(Stage):
    """Draws from random."""

    name: ClassVar = "global_random"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return share(random.random())


@dataclass(frozen=True)
class GlobalNumpy(Stage):
    """Draws from numpy's global generator."""

    name: ClassVar = "global_numpy"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return share(float(np.random.random()))


@dataclass(frozen=True)
class Clock(Stage):
    """Reads the time of day."""

    name: ClassVar = "clock"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return share((time.time() / 86_400 / 365.25 / 100) % 1)


@dataclass(frozen=True)
class Today(Stage):
    """Reads the date."""

    name: ClassVar = "today"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return StageResult(details={"year": datetime.datetime.now().year})


@dataclass(frozen=True)
class SetOrder(Stage):
    """Lets the order of a set decide."""

    name: ClassVar = "set_order"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return StageResult(details={"names": list(set(case[Series].columns))})


@dataclass(frozen=True)
class Undeclared(Stage):
    """Reads a record that it does not declare."""

    name: ClassVar = "undeclared"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return share(len(case[Samples].steps) / 1000)


@dataclass(frozen=True)
class Mutates(Stage):
    """Writes into an array of a record."""

    name: ClassVar = "mutates"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        case[Series].columns["generator/loss"].values[0] = 0
        return share(0.5)


@dataclass(frozen=True)
class MutatesMapping(Stage):
    """Takes a series out of a record."""

    name: ClassVar = "mutates_mapping"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        case[Series].columns.pop("generator/loss")  # type: ignore[attr-defined]
        return share(0.5)


@dataclass(frozen=True)
class Above(Stage):
    """Returns 1.2."""

    name: ClassVar = "above"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return share(1.2)


@dataclass(frozen=True)
class NotANumber(Stage):
    """Returns NaN."""

    name: ClassVar = "not_a_number"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return share(float("nan"))


@dataclass(frozen=True)
class BareFloat(Stage):
    """Returns a number where an estimate belongs."""

    name: ClassVar = "bare_float"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return StageResult(terms={"x": 0.5})  # type: ignore[dict-item]


@dataclass(frozen=True)
class WritesIntoRun(Stage):
    """Leaves a file in the run."""

    name: ClassVar = "writes_into_run"
    needs: ClassVar = (Snapshots,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        folder: Path = case[Snapshots].handles[0].path
        (folder.parent.parent / "left-behind.txt").write_text("hello")
        return share(0.5)


@dataclass(frozen=True)
class Sleeps(Stage):
    """Ignores its deadline."""

    name: ClassVar = "sleeps"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        time.sleep(3600)
        return share(0.5)


@dataclass(frozen=True)
class GivesUndeclared(Stage):
    """Gives a record that it does not declare."""

    name: ClassVar = "gives_undeclared"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return StageResult(records=[Note("x", np.zeros(2))])


@dataclass(frozen=True)
class KeepsForItself(Stage):
    """Declares a record and gives none."""

    name: ClassVar = "keeps_for_itself"
    needs: ClassVar = (Series,)
    gives: ClassVar = (Note,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return share(0.5)


@dataclass(frozen=True)
class NoPage(Stage):
    """Gives a finding that no page describes."""

    name: ClassVar = "no_page"
    needs: ClassVar = (Series,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        return StageResult(findings=[Finding("MYS404", "Something is the matter.")])
