"""Training of groups of settings as ensembles, each member judged like a recorded run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.ensembles import Trajectories, train_ensemble
from dlcc.health.definitions import sample_steps
from dlcc.health.samples import Reference
from dlcc.past_runs.build.past_run import PastRun, past_run
from dlcc.recipes import truth
from dlcc.recipes.small_gan import training as small_gan
from dlcc.records import Series
from dlcc.typing import CountProgress

OVERTRAIN = 1.25
"""Multiple of the configured length that runs are trained to."""


def simulate(
    configs: Sequence[Mapping[str, Any]], progress: CountProgress | None = None
) -> list[PastRun]:
    """Train settings of one shape and length together, and judge each against the truth."""
    length, data = int(configs[0]["steps"]), str(configs[0]["data"])
    steps = sample_steps(length, truth.SAMPLE_STEPS, OVERTRAIN)
    trained = train_ensemble(
        configs,
        steps=round(length * OVERTRAIN),
        sample_steps=steps,
        samples=truth.SAMPLES[data],
        progress=progress,
    )
    return [judged_member(trained, i) for i in range(len(configs))]


def judged_member(trained: Trajectories, i: int) -> PastRun:
    """Make the past run of member i of an ensemble that was trained past its length."""
    rows, samples = trained.member(i)
    config = trained.configs[i]
    judged = judge_member(config.data, config.steps, rows, trained.sample_steps, samples)
    as_given = asdict(config)
    within = {name: values[: config.steps] for name, values in rows.items()}
    return past_run(
        as_given,
        Series.from_start(within),
        list(trained.sample_steps),
        list(samples),
        judged,
        reference_of(config.data),
    )


def judge_member(
    data: str,
    length: int,
    rows: Mapping[str, NDArray[np.float64]],
    steps: Sequence[int],
    samples: NDArray[Any],
) -> truth.Truth:
    """Judge a member by its series [steps] and samples [c, n, features]."""
    checkpoints = [
        truth.judge_samples(data, int(step), drawn)
        for step, drawn in zip(steps, samples, strict=True)
    ]
    judged = {name: v for name, v in rows.items() if name.endswith(("/loss", "/grad_norm"))}
    return truth.judge(data, length, checkpoints, judged)


@lru_cache(maxsize=8)
def reference_of(data: str) -> Reference:
    """Training data that runs of a recipe name."""
    kept = np.asarray(small_gan.reference(data), dtype=np.float64)
    return Reference.of(kept)
