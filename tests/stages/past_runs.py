"""Stages that hold a run against past ones, called on an example with a small library."""

from functools import cache
from pathlib import Path

import numpy as np

from dlcc.records import Config, HealthRecord, Samples, Series, Sources
from dlcc.runs import Run
from dlcc.stage import Case, Context, Deadline, Stage, StageResult
from dlcc.stages.health import Health
from tests.conftest import example


def call(stage: Stage, parts: dict, length: int) -> StageResult:
    """The stage on these parts of a run."""
    ctx = Context(np.random.default_rng(0), Deadline(60), Path())
    return stage(Case(stage, parts, length, length), ctx)


@cache
def parts_of(name: str) -> tuple[dict, int]:
    """The parts of an example, judged by the health stage; and its length."""
    run = Run.open(example(name))
    kinds = (Config, Series, Samples, Sources)
    parts = {kind: kind.of(run, run.length) for kind in kinds}
    (health,) = call(Health(), parts, run.length).records
    return {**parts, HealthRecord: health}, run.length
