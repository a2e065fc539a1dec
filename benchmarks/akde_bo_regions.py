"""Whether the regions that AKDE-BO flags are unstable: I(v) against what comes of the rows.

    python benchmarks/akde_bo_regions.py [--seeds 3] [--no-write]

On the baseline's training on digits, at six steps, the rows of a batch get the instability I at
their gradients by the discriminator's last layer, in projection, and their sparsity o. Beside
these stand the norms of their whole gradients by the discriminator, at once and ten steps later,
and the relative change between. Each pair's rank correlation is averaged; the claim asks for
positive ones of I. Writes benchmarks/results/akde_bo_regions.json.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

import numpy as np
import torch
from akde_bo import DRAW, WIDTH, seeds_of
from common import write_result
from scipy import stats
from torch import Tensor, nn

from dlcc.control.akde_bo.penalties import DIRECTIONS, Part, row_gradients
from dlcc.landscape.density import gradient_density
from dlcc.landscape.model_state import unchanged
from dlcc.landscape.per_sample import PerSampleBackward
from dlcc.recipes.adversarial_losses import ADVERSARIAL_LOSSES
from dlcc.recipes.image_gans import akde_dcgan
from dlcc.typing import Floats

AT, LATER = (50, 100, 150, 200, 300, 400), 10
ROWS = ADVERSARIAL_LOSSES["ns"]


def real_loss(model: nn.Module, x: Tensor) -> Tensor:
    """Loss of each row of images."""
    return ROWS.real(model(x)[:, 0])


def fake_loss(model: nn.Module, x: Tensor) -> Tensor:
    """Loss of each row of samples."""
    return ROWS.fake(model(x)[:, 0])


def norms(model: nn.Module, real: Tensor, fake: Tensor) -> Floats:
    """Norms [n] of the rows' whole gradients."""
    parts = ((real, real_loss), (fake, fake_loss))
    found = [PerSampleBackward.of(model, loss, rows).norms() for rows, loss in parts]
    return np.asarray(torch.cat(found).double())


def of_seed(seed: int) -> list[dict[str, float]]:
    """Rank correlations at each step of a training."""
    training = akde_dcgan.build({"seed": seed, "width": WIDTH})
    rival, found = training.discriminator, []
    waiting: dict[int, Any] = {}
    for step in range(max(AT) + LATER + 1):
        if step in AT:
            real, z = training.batch(step)
            with torch.no_grad(), unchanged(training.generator):
                fake = training.generator(z)
            with unchanged(rival):
                rows = row_gradients(rival, [Part(real, real_loss), Part(fake, fake_loss)])
                density = gradient_density(rows.gradients(DIRECTIONS).detach())
            now = norms(rival, real, fake)
            waiting[step + LATER] = (real, fake, density, now)
        if step in waiting:
            real, fake, density, now = waiting.pop(step)
            later = norms(rival, real, fake)
            change = np.abs(later - now) / (now + 1e-12)
            found.append({
                f"{name} and {what}": float(stats.spearmanr(flag, value).statistic)
                for name, flag in (("I", density.instability), ("o", density.sparsity.raw))
                for what, value in (
                    ("norm", now), ("norm later", later), ("relative change", change)
                )
            })  # fmt: skip
        training.step(step)
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seeds = seeds_of(DRAW, "digits", arguments.seeds)
    runs = [of_seed(seed) for seed in seeds]
    figures = {}
    for key in runs[0][0]:
        means = np.array([np.nanmean([row[key] for row in run]) for run in runs])
        half = math.inf
        if len(means) > 1:
            t = stats.t.ppf(0.95, len(means) - 1)
            half = float(t * means.std(ddof=1) / math.sqrt(len(means)))
        mean = float(means.mean())
        figures[key] = {"mean": mean, "low": mean - half, "high": mean + half, "of": len(means)}
    if arguments.no_write:
        print(json.dumps(figures, indent=1))
        return
    write_result("akde_bo_regions", figures, seeds={"drawn_by": DRAW, "seeds": len(seeds)})


if __name__ == "__main__":
    main()
