"""Training of a recipe into a run folder, and the truth about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from dlcc.engine.jobs import one_thread
from dlcc.engine.scratch import scratch_folder
from dlcc.errors import OptionError
from dlcc.health.definitions import sample_steps
from dlcc.recipes import truth
from dlcc.recipes.recipe import Family, Recipe
from dlcc.recipes.registry import get_recipe
from dlcc.runs import Recorder, Run
from dlcc.typing import CountProgress

TRAINING_ENTRY = "source/train.py:build"
RECONSTRUCTED = 25  # rows of the data
OVERTRAIN = (1.0, 1.25)  # from the end of the length to the end of the quarter after it


@dataclass(frozen=True)
class Start:
    """State of another run from which a training goes on."""

    step: int
    """Step from which the training goes on."""
    state: Mapping[str, Any]
    """State before that step, as the training's `state_dict` gives it."""
    run: str
    """Name of the run that the state comes from."""


class Control(Protocol):
    """Controller that follows a recipe's training row by row, and may steer it."""

    def take(self, training: Any, config: Mapping[str, Any]) -> Any:
        """Take over a training before its first step: return the one to record in its place."""
        ...

    def sources(self) -> tuple[str, Mapping[str, str]]:
        """Name what builds the training again: its entry `source/FILE.py:FUNCTION`, and files.

        The files are those that it needs beside `train.py`, name to text. An empty entry stands for
        the recipe's own.
        """
        ...

    def catch_up(self, run: Run, step: int) -> None:
        """Take in what the run recorded before `step`, from which the training goes on."""
        ...

    def watch(self, step: int, row: Mapping[str, Any]) -> Mapping[str, float] | None:
        """Take in the row of a step, and return quantities to record at the same step."""
        ...


def train(
    recipe: str,
    out: str | Path,
    settings: Mapping[str, Any] | None = None,
    *,
    overtrain: float = 1.0,
    snapshots: int = 10,
    start: Start | None = None,
    control: Control | None = None,
    landscape: bool = False,
    progress: CountProgress | None = None,
) -> truth.Truth | None:
    """Train a recipe into a run folder, and judge how it ended where the data's generator is known.

    Killed or interrupted at any instant, it leaves a good run; called again with the same
    arguments it goes on from the newest snapshot, and ends in the very run that an uninterrupted
    call would have left. A run that is complete is not trained again.

    Args:
        recipe: Name of a recipe, of `dlcc.recipes.recipes()`.
        out: Run folder; made if missing.
        settings: Keys of the recipe's configuration; those left out take their defaults.
        overtrain: Train on to this multiple of the configured length, 1 to 1.25, which gives the
            truth its `next_quarter`. The run's length stays the configured one.
        snapshots: Number of snapshots, equally spaced over the configured length, besides step 0.
        start: State of another run from which to go on; `settings` hold after it was loaded. The
            record begins at its step.
        control: Controller that follows the training and may steer it; its actions are recorded.
        landscape: Whether to measure gradients of rows now and then, and the landscape at
            snapshots.
        progress: Called after every step.

    Returns:
        The truth, which is also written to `out/truth.json`; None where no generator is known.

    Raises:
        OptionError: no such recipe, key or value, or `out` holds a run of another configuration.
    """
    chosen = get_recipe(recipe)
    config = chosen.configure(settings or {})
    _check_extent(overtrain, snapshots)
    out = Path(out)
    begun = (out / "run.json").exists()
    extent = _Extent(chosen.family.length(config), overtrain, snapshots, start)
    if begun:
        run = Run.open(out)
        check_same(config, run, out)
        if extent.is_reached(run):
            return _judged(chosen.family, config, run, extent)
    _record(chosen, config, out, extent, control, landscape, progress)
    return _judged(chosen.family, config, Run.open(out), extent)


def _judged(
    family: Family, config: Mapping[str, Any], run: Run, extent: _Extent
) -> truth.Truth | None:
    """Judge a run and write the truth into it, once; None where no generator is known."""
    target = family.target(config)
    if target is None:
        return None
    if (run.path / truth.TRUTH_FILE).exists():
        there = truth.read(run.path)
        if len(there.checkpoints) >= len(extent.sample_steps):
            return there
    as_target = partial(family.as_target, config=config)
    judged = judge_run(run, target, extent.overtrain, extent.start, as_target)
    judged.write(run.path)
    return judged


def judge_run(
    run: Run,
    data: str,
    overtrain: float = 1.0,
    start: Start | None = None,
    as_target: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray,
) -> truth.Truth:
    """Judge a recorded run of a recipe, from its samples and series."""
    checkpoints = [
        truth.judge_samples(data, step, as_target(run.samples(step)))
        for step in _sample_steps(run.length, overtrain, start)
    ]
    judged_quantities = ("/loss", "/grad_norm")
    series = {
        name: column.values
        for name, column in run.series().columns.items()
        if name.endswith(judged_quantities)
    }
    return truth.judge(data, run.length, checkpoints, series)


@dataclass(frozen=True)
class _Extent:
    """Extent of a training: its steps, and those at which snapshots and samples are taken."""

    length: int
    """Configured length in steps."""
    overtrain: float
    """Multiple of the length that is trained to."""
    snapshots: int
    """Number of snapshots over the length, besides that of step 0."""
    start: Start | None
    """State of another run from which the training goes on."""

    @property
    def first(self) -> int:
        """First step of the training."""
        return 0 if self.start is None else self.start.step

    @property
    def total(self) -> int:
        """Number of steps to the training's end, overtraining included."""
        return round(self.length * self.overtrain)

    @property
    def sample_steps(self) -> list[int]:
        """Steps at which samples are taken."""
        return _sample_steps(self.length, self.overtrain, self.start)

    def is_reached(self, run: Run) -> bool:
        """Tell whether a run has the last snapshot and the last samples."""
        snapshots = [snapshot.step for snapshot in run.snapshots()]
        return self.total in snapshots and self.sample_steps[-1] in run.sample_steps()

    @property
    def snapshot_steps(self) -> set[int]:
        """Steps at which snapshots are taken."""
        steps = {self.length * k // self.snapshots for k in range(self.snapshots + 1)}
        return steps | {self.first, self.total}


def _sample_steps(length: int, overtrain: float, start: Start | None) -> list[int]:
    """Steps at which samples are taken, after the one from which the training goes on."""
    first = 0 if start is None else start.step
    return [step for step in sample_steps(length, truth.SAMPLE_STEPS, overtrain) if step > first]


def _record(
    recipe: Recipe,
    config: Mapping[str, Any],
    out: Path,
    extent: _Extent,
    control: Control | None,
    landscape: bool,
    progress: CountProgress | None,
) -> None:
    """Train from the newest snapshot, or from the start, to the end."""
    family, total = recipe.family, extent.total
    sample_at, snapshot_at = set(extent.sample_steps), extent.snapshot_steps
    n, dtype = family.samples(config), family.sample_dtype(config)

    training = plain = recipe.module.build(config)
    entry, sources = "", {"train.py": recipe.source.read_text(encoding="utf-8")}
    if control is not None:
        training = control.take(training, config)
        entry, more = control.sources()
        sources |= more
    with (
        one_thread(),
        scratch_folder() as folder,
        Recorder(
            out,
            players=training.players,
            config=config,
            name=out.name,
            objective=family.objective(config),
            data=family.description(config),
            seed=config["seed"],
            length=extent.length,
            training=training,
            training_entry=entry or TRAINING_ENTRY,
            sources=[_copy(folder / name, text) for name, text in sources.items()],
            documents=[_copy(folder / "method.md", _page(recipe, config, extent.start))],
            reference=torch.from_numpy(family.reference(config)).to(dtype),
        ) as recorder,
    ):
        first = recorder.resume()
        if extent.start is not None and first < extent.start.step:
            training.load_state_dict(extent.start.state)
            _check_rates(training, config)
            first = extent.start.step
        if control is not None:
            control.catch_up(Run.open(out), first)
            recorder.control(control)
        look = family.look(recorder, plain) if landscape else None
        for step in range(first, total + 1):
            if step in snapshot_at:
                recorder.snapshot(step)  # before the samples: where it rewinds it takes theirs away
                if look is not None:
                    look.at_snapshot(step)
            if step in sample_at:
                recorder.samples(step, training.sample(n, seed=step).to(dtype))
                if hasattr(plain, "reconstruct"):
                    recorder.reconstructions(step, *plain.reconstruct(RECONSTRUCTED))
            if step == total:
                break
            recorder.log(step, training.step(step))
            if look is not None:
                look.at_row(step)
            if progress is not None:
                progress(step + 1, total)


def _page(recipe: Recipe, config: Mapping[str, Any], start: Start | None) -> str:
    """Markdown page of the method, with the run that the training goes on from."""
    page = recipe.family.page(recipe, config)
    if start is None:
        return page
    return f"{page}\nThe training went on from step {start.step} of the run {start.run}.\n"


def _check_rates(training: Any, config: Mapping[str, Any]) -> None:
    """Check that the configuration's rates hold after a state was loaded, which brings none."""
    for player, key in (("generator", "lr_g"), ("discriminator", "lr_d")):
        for group in training.optimizers[player].param_groups:
            if group["lr"] != config[key]:
                raise OptionError(f"{key} is {group['lr']} after the state was loaded")


def _copy(path: Path, text: str) -> Path:
    """Write a text to a file and return its path."""
    path.write_text(text, encoding="utf-8")
    return path


def _check_extent(overtrain: float, snapshots: int) -> None:
    """Raise OptionError for a multiple of the length or a number of snapshots out of range."""
    low, high = OVERTRAIN
    if not low <= overtrain <= high:
        raise OptionError(f"overtrain is {overtrain!r}: give a value from {low:g} to {high:g}")
    if snapshots < 1:
        raise OptionError(f"snapshots is {snapshots!r}: give 1 or more")


def check_same(config: Mapping[str, Any], run: Run, out: Path) -> None:
    """Raise OptionError where the run that `out` holds has another configuration."""
    recorded = run.manifest.config
    for key in sorted(config.keys() | recorded.keys()):
        if config.get(key) != recorded.get(key):
            raise OptionError(
                f"{out} holds a run with {key} {recorded.get(key)!r}, not {config.get(key)!r}: "
                "name another folder, or repeat its settings"
            )
