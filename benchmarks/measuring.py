"""What `Recorder.measure` adds to a training, and that it changes nothing of it.

    python benchmarks/measuring.py

The digits GAN of the recipes, recorded, with and without every measure of its discriminator (norms,
noise, density) on 32 rows, at most every 32 steps and within 3 % of the time. CPU time of whole
trainings of STEPS steps, with and without in turn; medians of the ratios of pairs with the smallest
and the largest; how many steps lie between two measurements; and whether the weights at the end are
the same bits. The same with norms and noise alone.

The deep convolutional GAN of the study of loss-gradient clouds (1.8 million parameters, batch 128)
is too slow for whole trainings: what a measurement of both players takes over what a step takes,
REPETITIONS pairs, extrapolated to a measurement every 32 steps; and whether three steps end in the
same bits with and without.

Apart from that, what a point costs at which the landscape is looked at (both ends of each player's
Hessian, its trace, a slice, the game's eigenvalues, the path), in steps of the training.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result
from torch import Tensor, nn
from torch.nn import functional as F

from dlcc import Recorder
from dlcc.recipes import get_recipe
from dlcc.recipes.small_gan import training as small_gan
from dlcc.runs import Run

STEPS, EVERY, ROWS, BUDGET, REPETITIONS = 3000, 32, 32, 0.03, 7
MEASURES = {"all": ("norms", "noise", "density"), "norms_and_noise": ("norms", "noise")}


def loss_of_each(model: nn.Module, batch: Tensor) -> Tensor:
    """The discriminator's loss on real rows."""
    return F.softplus(-model(batch)).flatten()


def trained(
    path: Path, what: Sequence[str] | None, batch: Tensor
) -> tuple[float, Mapping[str, Any]]:
    """CPU seconds of a recorded training, and its weights."""
    training = small_gan.build({"data": "digits", "seed": 0})
    with Recorder(path, players=training.players, length=STEPS) as rec:
        measure = None
        if what is not None:
            measure = rec.measure(
                {"discriminator": loss_of_each}, every=EVERY, budget=BUDGET, what=what, rows=ROWS
            )
        start = time.process_time()
        for step in range(STEPS):
            rec.log(step, training.step(step))
            if measure is not None:
                measure(step, {"discriminator": batch})
        taken = time.process_time() - start
    weights = {n: p.detach().clone() for n, p in training.players["generator"].named_parameters()}
    return taken, weights


def compared(what: Sequence[str]) -> dict[str, Any]:
    """With and without, in turn."""
    batch = torch.as_tensor(small_gan.reference("digits")[:ROWS])
    ratios, apart, same = [], [], True
    for _ in range(REPETITIONS):
        with tempfile.TemporaryDirectory() as name:
            plain, weights = trained(Path(name) / "plain", None, batch)
            measured, others = trained(Path(name) / "measured", what, batch)
            steps = Run.open(Path(name) / "measured").series().columns["measuring/overhead"].steps
        ratios.append(measured / plain)
        apart.append(float(np.diff(steps).mean()))
        same &= all(torch.equal(weights[n], others[n]) for n in weights)
    return {
        "ratio": spread(ratios),
        "steps_between_measurements": statistics.median(apart),
        "same_weights": same,
    }


def convolutional() -> dict[str, Any]:
    """A measurement of the convolutional GAN, in its steps."""
    with tempfile.TemporaryDirectory() as name:
        ratios = []
        with looked_at(Path(name), {"net": "dcgan", "batch": 128}) as (training, look):
            look.measure.is_due = lambda step: True
            training.step(0)
            look.at_row(0)
            for step in range(1, REPETITIONS + 1):
                plain = taken_by(partial(training.step, step))
                ratios.append(taken_by(partial(look.at_row, step)) / plain)
        ends = []
        for seen in (False, True):
            with looked_at(Path(name) / str(seen), {"net": "dcgan", "batch": 16}) as (own, look):
                look.measure.is_due = lambda step: True
                for step in range(3):
                    own.step(step)
                    if seen:
                        look.at_row(step)
                ends.append(
                    [
                        p.detach().clone()
                        for net in own.players.values()
                        for p in (*net.parameters(), *net.buffers())
                    ]
                )
    return {
        "measurement_in_steps": spread(ratios),
        "ratio_at_every_32": spread([1 + ratio / EVERY for ratio in ratios]),
        "same_weights": all(map(torch.equal, *ends)),
    }


def points() -> dict[str, Any]:
    """What a point costs at which the landscape is looked at, in steps."""
    found = {}
    for name, recipe, config, steps in (
        ("digits", "digits", {}, 200),
        ("lgc-vanilla", "lgc-vanilla", {"batch": 64}, 50),
        ("lgc-dcgan", "lgc-dcgan", {"batch": 16}, 3),
    ):
        with tempfile.TemporaryDirectory() as folder:
            settings = get_recipe(recipe).configure(config)
            with looked_at(Path(folder), settings, recipe) as (training, look):
                seconds = taken_by(partial(stepped, training, steps)) / steps
                look.recorder.snapshot(0)
                taken = taken_by(partial(look.at_snapshot, 0))
        found[name] = {"seconds": taken, "in_steps": taken / seconds}
    return found


@contextmanager
def looked_at(
    folder: Path, config: Mapping[str, Any], recipe: str = "lgc-dcgan"
) -> Iterator[tuple[Any, Any]]:
    """A training, and what measures it."""
    family = get_recipe(recipe).family
    training = family.module.build(dict(config))
    with Recorder(folder / "run", players=training.players, length=100) as recorder:
        look: Any = family.look(recorder, training)
        look.recorder = recorder
        yield training, look


def stepped(training: Any, steps: int) -> None:
    """Do some steps."""
    for step in range(steps):
        training.step(step)


def taken_by(work: Callable[[], object]) -> float:
    """CPU seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def spread(ratios: Sequence[float]) -> dict[str, float]:
    """The median with the smallest and the largest."""
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def main() -> None:
    torch.set_num_threads(1)
    figures = {name: compared(what) for name, what in MEASURES.items()}
    figures |= {"convolutional": convolutional(), "points": points()}
    write_result("measuring", figures, seeds={"run": 0})


if __name__ == "__main__":
    main()
