"""Test of records: the logic term of untampered runs, and of copies that are forged here."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dlcc import pipeline
from dlcc.engine.scratch import scratch_folder
from dlcc.estimate import Estimate
from dlcc.past_runs.build import doctoring
from dlcc.pipeline import discovery
from dlcc.runs import Run

CHECKING = ("ingestion", "consistency", "execution")
"""Names of the stages that check a record."""


def logic_of(folder: Path) -> Estimate | None:
    """Evaluate the logic term of a run folder by consistency and execution; None without any."""
    stages = [stage for name, stage in discovery.installed().items() if name in CHECKING]
    run = Run.open(folder)
    outcomes = pipeline.run_stages(run, stages, until=run.length)
    return pipeline.terms_of(outcomes).get("logic")


def doctored_copy(folder: Path, target: Path, rng: np.random.Generator) -> str:
    """Copy a run of a recipe and forge something in it; returns what."""
    shutil.copytree(folder, target)
    kind = list(FORGERIES)[int(rng.integers(len(FORGERIES)))]
    FORGERIES[kind](target, rng)
    return kind


def logic_of_doctored(folder: Path, rng: np.random.Generator) -> tuple[str, Estimate | None]:
    """Forge a copy of a run: what was forged, and the logic term that the stages give it."""
    with scratch_folder("dlcc-doctored-") as scratch:
        copy = scratch / folder.name
        kind = doctored_copy(folder, copy, rng)
        return kind, logic_of(copy)


def _smooth_the_end(run: Path, rng: np.random.Generator) -> None:
    """Replace the last quarter's losses by those of an earlier quarter."""
    opened = Run.open(run)
    values = opened.series().columns["discriminator/loss"].values
    length = opened.length
    start, better = length * 3 // 4, int(rng.integers(length // 4, length // 2))
    for k in range(start, length):
        doctoring.set_value(run, "discriminator/loss", k, float(values[better + k - start]))


def _one_value(run: Path, rng: np.random.Generator) -> None:
    """Change the generator's loss at one snapshot."""
    step = _snapshot(run, rng)
    old = doctoring.set_value(run, "generator/loss", step, 0.0)
    doctoring.set_value(run, "generator/loss", step, old * 0.9 - 0.05)


def _a_weight(run: Path, rng: np.random.Generator) -> None:
    """Scale a weight of the discriminator in one snapshot."""
    doctoring.change_weight(run, _snapshot(run, rng), "discriminator/0.weight")


def _another_state(run: Path, rng: np.random.Generator) -> None:
    """Put a snapshot in place of the next one."""
    steps = Run.open(run).layout.snapshot_steps()
    doctoring.copy_snapshot(run, steps[1], steps[2])


def _other_code(run: Path, rng: np.random.Generator) -> None:
    """Change the source so that the generator's loss sees scaled samples."""
    old = "g_loss = self.generator_loss(self.discriminator(fake).squeeze(1))"
    doctoring.edit_source(run, old, old.replace("fake)", "fake * 1.01)"))


def _another_rate(run: Path, rng: np.random.Generator) -> None:
    """State half the discriminator's learning rate."""

    def halve(manifest: dict[str, dict[str, float]]) -> None:
        """Halve the rate in a manifest."""
        manifest["config"]["lr_d"] /= 2

    doctoring.edit_manifest(run, halve)


def _snapshot(run: Path, rng: np.random.Generator) -> int:
    """Draw the step of a snapshot before the end."""
    steps = [s for s in Run.open(run).layout.snapshot_steps() if s < Run.open(run).length]
    return int(rng.choice(steps))


FORGERIES: dict[str, Callable[[Path, np.random.Generator], None]] = {
    "losses": _smooth_the_end,
    "value": _one_value,
    "weight": _a_weight,
    "state": _another_state,
    "code": _other_code,
    "rate": _another_rate,
}
"""Forgeries by name: each changes a run folder in place."""
