"""Train a recipe into a run folder, and write the truth about it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcc.errors import OptionError
from dlcc.recipes import truth
from dlcc.recipes.method import method_page
from dlcc.recipes.registry import Recipe, get_recipe
from dlcc.runs import Recorder, Run

Progress = Callable[[int, int], None]
"""Called with the steps done and the steps in all."""

TRAINING_ENTRY = "source/train.py:build"
OVERTRAIN = (1.0, 1.25)  # from the end of the length to the end of the quarter after it


def train(
    recipe: str,
    out: str | Path,
    settings: Mapping[str, Any] | None = None,
    *,
    overtrain: float = 1.0,
    snapshots: int = 10,
    progress: Progress | None = None,
) -> truth.Truth:
    """Train a recipe into the run folder `out`; returns the truth, which is written there too.

    Killed or interrupted at any instant, it leaves a good run; called again with the same
    arguments it goes on from the newest snapshot, and ends in the very run that an uninterrupted
    call would have left. A run that is complete is not trained again.

    Args:
        recipe: A name of `dlcc.recipes.recipes()`.
        out: The run folder; made if missing.
        settings: Keys of the recipe's configuration; those left out take their defaults.
        overtrain: Train on to this multiple of the configured length, 1 to 1.25, which gives the
            truth its `next_quarter`. The run's length stays the configured one.
        snapshots: How many, equally spaced over the configured length, besides that of step 0.
        progress: Called after every step.

    Raises:
        OptionError: no such recipe, key or value, or `out` holds a run of another configuration.
    """
    chosen = get_recipe(recipe)
    config = chosen.configure(settings or {})
    _check_extent(overtrain, snapshots)
    out = Path(out)
    begun = (out / "run.json").exists()
    if begun:
        _check_same(config, Run.open(out), out)
        if (out / truth.TRUTH_FILE).exists() and len(truth.read(out).checkpoints) >= len(
            truth.checkpoint_steps(config["steps"], overtrain)
        ):
            return truth.read(out)
    _record(chosen, config, out, overtrain=overtrain, snapshots=snapshots, progress=progress)
    judged = judge_run(Run.open(out), config["data"], overtrain)
    judged.write(out)
    return judged


def judge_run(run: Run, data: str, overtrain: float = 1.0) -> truth.Truth:
    """The truth of a recorded run of a recipe, from its samples and series."""
    checkpoints = [
        truth.judge_samples(data, step, np.asarray(run.samples(step)))
        for step in truth.checkpoint_steps(run.length, overtrain)
    ]
    judged_quantities = ("/loss", "/grad_norm")
    series = {
        name: column.values
        for name, column in run.series().columns.items()
        if name.endswith(judged_quantities)
    }
    return truth.judge(data, run.length, checkpoints, series)


def _record(
    recipe: Recipe,
    config: Mapping[str, Any],
    out: Path,
    *,
    overtrain: float,
    snapshots: int,
    progress: Progress | None,
) -> None:
    """Train from the newest snapshot, or from the start, to the end."""
    length: int = config["steps"]
    total = round(length * overtrain)
    sample_at = set(truth.checkpoint_steps(length, overtrain))
    snapshot_at = {length * k // snapshots for k in range(snapshots + 1)} | {total}
    n, dtype = truth.SAMPLES[recipe.data], sample_dtype(recipe.data)

    training = recipe.module.build(config)
    with (
        one_thread(),
        tempfile.TemporaryDirectory() as folder,
        Recorder(
            out,
            players=training.players,
            config=config,
            name=out.name,
            objective={"kind": "gan", "loss": config["loss"]},
            data={"name": recipe.data},
            seed=config["seed"],
            length=length,
            training=training,
            training_entry=TRAINING_ENTRY,
            sources=[_copy(Path(folder) / "train.py", recipe.source.read_text(encoding="utf-8"))],
            documents=[_copy(Path(folder) / "method.md", method_page(recipe, config))],
            reference=torch.from_numpy(recipe.module.reference(recipe.data)).to(dtype),
        ) as recorder,
    ):
        start = recorder.resume()
        for step in range(start, total + 1):
            if step in snapshot_at:
                recorder.snapshot(step)  # before the samples: where it rewinds it takes theirs away
            if step in sample_at:
                recorder.samples(step, training.sample(n, seed=step).to(dtype))
            if step == total:
                break
            recorder.log(step, training.step(step))
            if progress is not None:
                progress(step + 1, total)


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: nets this small only lose time to a second one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def sample_dtype(data: str) -> torch.dtype:
    """How samples are kept: pixels, whose real values are multiples of 1/8, at half precision."""
    return torch.float16 if data == "digits" else torch.float32


def _copy(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def _check_extent(overtrain: float, snapshots: int) -> None:
    low, high = OVERTRAIN
    if not low <= overtrain <= high:
        raise OptionError(f"overtrain is {overtrain!r}: give a value from {low:g} to {high:g}")
    if snapshots < 1:
        raise OptionError(f"snapshots is {snapshots!r}: give 1 or more")


def _check_same(config: Mapping[str, Any], run: Run, out: Path) -> None:
    recorded = run.manifest.config
    for key in sorted(config.keys() | recorded.keys()):
        if config.get(key) != recorded.get(key):
            raise OptionError(
                f"{out} holds a run with {key} {recorded.get(key)!r}, not {config.get(key)!r}: "
                "name another folder, or repeat its settings"
            )
