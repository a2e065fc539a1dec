"""Advice carried out: a new run with the change, from the last good snapshot where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.advice.apply_own import OwnCode
from dlcc.advice.change import Change
from dlcc.errors import OptionError
from dlcc.recipes import Recipe, recipes
from dlcc.recipes.train import Start, check_same, train
from dlcc.records import HealthRecord, Sources
from dlcc.runs import Run, Snapshot
from dlcc.sandbox import best_level
from dlcc.typing import CountProgress

_GOOD = 0.5
_LARGEST_SEED = 2**31


@dataclass(frozen=True)
class Applied:
    """Change carried out in a new run."""

    out: Path
    """Folder of the new run."""
    config: Mapping[str, Any]
    """Whole configuration of the new run."""
    start: int
    """Step from which the new run was trained; 0 where it started again."""

    @property
    def words(self) -> str:
        """Beginning of the new run, in words."""
        return f"resumed from step {self.start:,}" if self.start else "started again"


def apply_change(
    run: Run,
    change: Change,
    out: Path,
    health: HealthRecord | None,
    *,
    seed: int,
    trust: bool = False,
    progress: CountProgress | None = None,
) -> Applied:
    """Train a run again with a change.

    The new run goes on from the last snapshot that was good where there is one and the change takes
    effect from there: weights and optimiser state are the snapshot's, the changed fields are set
    after these were loaded. Else it starts again. Code that came with the run is trained in the
    sandbox. A run that was begun before is gone on with.

    Args:
        run: Run of a recipe of this package, or of code that says how to build its training again.
        change: New values of fields of its configuration.
        out: Folder of the new run: new, empty, or begun with the same change.
        health: Health of the run by step, which says which snapshots were good; without it the new
            run starts again.
        seed: Seed of a run that starts again.
        trust: Whether code that came with the run may run where no sandbox can isolate it.
        progress: Function that is called with the steps done and all steps.

    Returns:
        The folder and the configuration of the new run, and the step from which it was trained.

    Raises:
        OptionError: The run says too little to be trained again, its code refuses the change, or
            `out` cannot take the new run.
        IsolationError: The code is the run's own and nothing isolates it.
    """
    check_place(run, change, out)
    recipe = known_recipe(run)
    if recipe is None:
        own, level = OwnCode.of(run), best_level(trust)
        good = last_good_snapshot(run, health) if change.fields else None
        config, first = own.train(
            change, out, level, seed=seed % _LARGEST_SEED, snapshot=good, progress=progress
        )
        return Applied(out, config, first)
    config = change.applied(run.manifest.config)
    resumes = bool(change.fields) and change.fields.keys() <= set(recipe.family.changeable)
    snapshot = last_good_snapshot(run, health) if resumes else None
    settings = {key: value for key, value in config.items() if key not in recipe.fixed}
    if snapshot is None:
        settings["seed"] = seed % _LARGEST_SEED
        train(recipe.name, out, settings, progress=progress)
        return Applied(out, config | settings, 0)
    start = Start(snapshot.step, snapshot.state(), str(run.path.name))
    train(recipe.name, out, settings, start=start, progress=progress)
    return Applied(out, config, snapshot.step)


def known_recipe(run: Run) -> Recipe | None:
    """Find the recipe whose source a run holds; None where its code is its own."""
    sources = Sources.of(run, None)
    texts = set() if sources is None else set(sources.files.values())
    config = run.manifest.config
    for recipe in recipes().values():
        named = all(config.get(key) == value for key, value in recipe.fixed.items())
        if named and recipe.source.read_text(encoding="utf-8") in texts:
            return recipe
    return None


def check_applicable(run: Run) -> None:
    """Check that a run can be trained again.

    Raises:
        OptionError: It is no recipe's, and does not say how to build its training again.
    """
    if known_recipe(run) is None:
        OwnCode.of(run)


def check_place(run: Run, change: Change, out: Path) -> None:
    """Check that `out` can take the new run; one that was begun with the same change is continued.

    Raises:
        OptionError: `out` lies in the run, holds another run, or is not empty.
    """
    if out.resolve().is_relative_to(run.path.resolve()):
        raise OptionError(f"--out {out}: lies in the run itself; choose a folder outside it")
    if (out / "run.json").exists():
        begun = Run.open(out)
        seed = begun.manifest.config.get("seed")
        check_same({**change.applied(run.manifest.config), "seed": seed}, begun, out)
    elif out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise OptionError(f"--out {out}: is there already and holds no run; choose a new folder")


def last_good_snapshot(run: Run, health: HealthRecord | None) -> Snapshot | None:
    """Find the last resumable snapshot at which the run was good; None where there is none.

    The run was good at a step if P(good) of the two nearest sample steps is over a half on average.
    The snapshot lies in the first half of the training, for a run is judged by its second; step 0
    never counts.
    """
    if health is None or not len(health.checkpoints):
        return None
    latest = run.length // 2 if health.onset is None else min(health.onset, run.length // 2)
    for snapshot in reversed(run.snapshots(latest)):
        beside = np.argsort(np.abs(health.checkpoints - snapshot.step), kind="stable")[:2]
        good = float(np.mean(health.good[beside])) > _GOOD
        if good and snapshot.step > 0 and snapshot.resumable:
            return snapshot
    return None
