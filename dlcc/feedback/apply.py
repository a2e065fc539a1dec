"""Advice carried out: a new run with the change, from the last good snapshot where that can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.errors import OptionError
from dlcc.feedback.remedies import Change
from dlcc.recipes import get_recipe
from dlcc.recipes.train import Progress, Start, train
from dlcc.records import HealthRecord, Sources
from dlcc.runs import Run, Snapshot

RESUMABLE = ("lr_g", "lr_d", "beta1", "beta2", "r1", "loss", "g_every", "d_every")
"""Fields that may change where a training goes on; others need a start from the beginning."""
_GOOD = 0.5
_LARGEST_SEED = 2**31


@dataclass(frozen=True)
class Applied:
    """A change carried out."""

    out: Path
    config: Mapping[str, Any]
    start: int
    """The step from which it was trained."""

    @property
    def words(self) -> str:
        """How the new run began."""
        return f"resumed from step {self.start:,}" if self.start else "started again"


def apply_change(
    run: Run,
    change: Change,
    out: Path,
    health: HealthRecord | None,
    *,
    seed: int,
    progress: Progress | None = None,
) -> Applied:
    """Train a run of a recipe with a change into `out`.

    It goes on from the last snapshot that was good where there is one and every changed field may
    change on the way: weights and optimiser state are the snapshot's, the changed fields are set
    after these were loaded. Else it starts again with `seed`.

    Raises:
        OptionError: the run is not one of a recipe, or `out` holds another run.
    """
    name = recipe_name(run)
    config = change.applied(run.manifest.config)
    snapshot = last_good_snapshot(run, health) if _may_resume(change) else None
    settings = {key: value for key, value in config.items() if key != "data"}
    if snapshot is None:
        settings["seed"] = seed % _LARGEST_SEED
        train(name, out, settings, progress=progress)
        return Applied(out, config | settings, 0)
    start = Start(snapshot.step, snapshot.state(), str(run.path.name))
    train(name, out, settings, start=start, progress=progress)
    return Applied(out, config, snapshot.step)


def recipe_name(run: Run) -> str:
    """The recipe that a run's code is.

    Raises OptionError where it is not one of this package.
    """
    data = str(run.manifest.config.get("data", run.manifest.data.get("name")))
    sources = Sources.of(run, None)
    texts = set() if sources is None else set(sources.files.values())
    try:
        recipe = get_recipe(data)
    except OptionError:
        recipe = None
    if recipe is None or recipe.source.read_text(encoding="utf-8") not in texts:
        raise OptionError(
            f"{run.path}: --apply trains recipes of this package, and this run's code is its own; "
            "put the advised fields into its configuration and train it yourself"
        )
    return recipe.name


def last_good_snapshot(run: Run, health: HealthRecord | None) -> Snapshot | None:
    """The last resumable snapshot at which the run was good; None where there is none.

    Good at a step: P(good) of the checkpoints beside it is over a half; step 0 never counts.
    """
    if health is None or not len(health.checkpoints):
        return None
    for snapshot in reversed(run.snapshots()):
        beside = np.argsort(np.abs(health.checkpoints - snapshot.step), kind="stable")[:2]
        good = bool(snapshot.step) and float(np.mean(health.good[beside])) > _GOOD
        onset = health.onset
        if good and (onset is None or snapshot.step <= onset) and snapshot.resumable:
            return snapshot
    return None


def _may_resume(change: Change) -> bool:
    return bool(change.fields) and all(key in RESUMABLE for key in change.fields)
