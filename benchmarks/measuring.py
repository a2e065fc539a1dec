"""What `Recorder.measure` adds to a training, and that it changes nothing of it.

    python benchmarks/measuring.py

The digits GAN of the recipes, recorded, with and without every measure of its discriminator (norms,
noise, density) on 32 rows, at most every 32 steps and within 3 % of the time. CPU time of whole
trainings of STEPS steps, with and without in turn; medians of the ratios of pairs with the smallest
and the largest; how many steps lie between two measurements; and whether the weights at the end are
the same bits. The same with norms and noise alone.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result
from torch import Tensor, nn
from torch.nn import functional as F

from dlcc import Recorder
from dlcc.recipes import small_gan
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
        "ratio": {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)},
        "steps_between_measurements": statistics.median(apart),
        "same_weights": same,
    }


def main() -> None:
    torch.set_num_threads(1)
    write_result(
        "measuring", {name: compared(what) for name, what in MEASURES.items()}, seeds={"run": 0}
    )


if __name__ == "__main__":
    main()
