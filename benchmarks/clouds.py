"""What the study of loss-gradient clouds claims, each claim with a number.

    python benchmarks/clouds.py [--cache DIR] [--seeds N]
    python benchmarks/clouds.py --data fashion --folder DIR --batch 128 --steps 900 --seeds 1

The vanilla GAN and the deep convolutional one on digits of 28 × 28 pixels, batch 16, 2,000 steps,
N seeds; a DCGAN seed takes 8 minutes on a core. On other data, in the study's size, a step of the
DCGAN takes 1 to 2 s. A claim is counted in every seed (vanilla and DCGAN
of the same seed side by side where it compares them): "yes" where it holds in all, "no" where it
holds in none, otherwise "not decided"; with five seeds either has a chance of 1 in 32 by luck.
Loss and gradient norm of a player at every step, by fifth of the training; samples by the Fréchet
distance of the digits classifier at the last sample step.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result

from dlcc.landscape.clouds import GradientCloud, gradient_cloud
from dlcc.recipes import truth
from dlcc.recipes.train import train
from dlcc.runs import Run
from dlcc.typing import Floats

SEEDS = 5
NETS = ("vanilla", "dcgan")
OUTLIER = 3.0  # robust standard deviations of the logarithm
ZERO = 1e-3  # of the median gradient norm


@dataclass(frozen=True)
class Trained:
    """A run as clouds."""

    generator: GradientCloud
    discriminator: GradientCloud
    frechet: float


def trained(folder: Path, net: str, settings: Mapping[str, Any]) -> Trained:
    """Train it, unless it lies there."""
    out = folder / f"{net}-{settings['seed']}"
    judged = train(f"lgc-{net}", out, settings)
    assert isinstance(judged, truth.Truth)
    columns = Run.open(out).series().columns
    clouds = [
        gradient_cloud(
            columns[f"{player}/loss"].values,
            columns[f"{player}/grad_norm"].values,
            length=settings["steps"],
        )
        for player in ("generator", "discriminator")
    ]
    frechet = judged.checkpoints[-1].frechet
    assert frechet is not None
    return Trained(*clouds, frechet)


# --- what is measured -----------------------------------------------------------------------------


def last_over_first(values: Floats, cloud: GradientCloud) -> float:
    """Median over the last fifth in that over the first."""
    first, last = (float(np.median(values[cloud.fifth == k])) for k in (0, 4))
    return last / first


def width(values: Floats) -> float:
    """From the 5 % to the 95 % quantile."""
    low, high = np.quantile(values, [0.05, 0.95])
    return float(high - low)


def decades(cloud: GradientCloud) -> float:
    """Width of the gradient norms in powers of ten."""
    return width(np.log10(cloud.gradient_norm))


def early_outliers(cloud: GradientCloud) -> float:
    """Share of the first fifth's gradient norms that lie far from the middle of all."""
    logs = np.log10(cloud.gradient_norm)
    low, middle, high = np.quantile(logs, [0.25, 0.5, 0.75])
    far = np.abs(logs - middle) > OUTLIER * (high - low) / 1.349
    return float(far[cloud.fifth == 0].mean())


def narrowing(cloud: GradientCloud) -> float:
    """Width of the first fifth's gradient norms, in decades, over that of the last fifth's."""
    logs = np.log10(cloud.gradient_norm)
    return width(logs[cloud.fifth == 0]) / width(logs[cloud.fifth == 4])


def smallest_at(cloud: GradientCloud) -> float:
    """When the smallest gradient norm came, as a share of the training."""
    return float(cloud.steps[cloud.gradient_norm.argmin()] / len(cloud.steps))


def smallest(cloud: GradientCloud) -> float:
    """The smallest gradient norm over the median."""
    return float(cloud.gradient_norm.min() / np.median(cloud.gradient_norm))


Pair = Mapping[str, Trained]
CLAIMS: dict[str, tuple[Callable[[Pair], float], Callable[[float], bool]]] = {
    **{
        f"{net}: the generator's {what} falls (last fifth over first)": (
            lambda pair, net=net, field=field: last_over_first(
                getattr(pair[net].generator, field), pair[net].generator
            ),
            lambda value: value < 1,
        )
        for net in NETS
        for what, field in (("loss", "loss"), ("gradient", "gradient_norm"))
    },
    "vanilla: the discriminator's losses stay in a narrow range (width over the generator's)": (
        lambda pair: (
            width(pair["vanilla"].discriminator.loss) / width(pair["vanilla"].generator.loss)
        ),
        lambda value: value < 0.5,
    ),
    "vanilla: the discriminator's gradients fall (last fifth over first)": (
        lambda pair: last_over_first(
            pair["vanilla"].discriminator.gradient_norm, pair["vanilla"].discriminator
        ),
        lambda value: value < 1,
    ),
    "DCGAN's generator's gradients have a broader range (decades over vanilla's)": (
        lambda pair: decades(pair["dcgan"].generator) / decades(pair["vanilla"].generator),
        lambda value: value > 1,
    ),
    "DCGAN's discriminator's gradients have a broader range (decades over vanilla's)": (
        lambda pair: decades(pair["dcgan"].discriminator) / decades(pair["vanilla"].discriminator),
        lambda value: value > 1,
    ),
    "DCGAN's discriminator's losses have a narrower range (width over vanilla's)": (
        lambda pair: (
            width(pair["dcgan"].discriminator.loss) / width(pair["vanilla"].discriminator.loss)
        ),
        lambda value: value < 1,
    ),
    "DCGAN's generator's cloud is a funnel (width of the first fifth over the last's)": (
        lambda pair: narrowing(pair["dcgan"].generator),
        lambda value: value > 1,
    ),
    "DCGAN's generator has more early outliers (share less vanilla's)": (
        lambda pair: (
            early_outliers(pair["dcgan"].generator) - early_outliers(pair["vanilla"].generator)
        ),
        lambda value: value > 0,
    ),
    **{
        f"{net}: the generator comes nearest to a gradient of zero early (share of the training)": (
            lambda pair, net=net: smallest_at(pair[net].generator),
            lambda value: value < 0.2,
        )
        for net in NETS
    },
    **{
        f"{net}: no gradient of zero is reached (the smallest over the median, both players)": (
            lambda pair, net=net: min(
                smallest(pair[net].generator), smallest(pair[net].discriminator)
            ),
            lambda value: value > ZERO,
        )
        for net in NETS
    },
    "DCGAN's samples are the better ones (Fréchet distance over vanilla's)": (
        lambda pair: pair["dcgan"].frechet / pair["vanilla"].frechet,
        lambda value: value < 1,
    ),
}


def decided(pairs: list[Pair]) -> dict[str, dict[str, Any]]:
    """Every claim over the seeds."""
    found = {}
    for claim, (measure, holds) in CLAIMS.items():
        values = [measure(pair) for pair in pairs]
        counted = sum(map(holds, values))
        answer = {len(pairs): "yes", 0: "no"}.get(counted, "not decided")
        found[claim] = {
            "answer": answer,
            "holds_in": counted,
            "median": statistics.median(values),
            "low": min(values),
            "high": max(values),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="where trained runs are kept, and found again")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--folder", default="", help="where the files of the data are")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.cache or Path(name)
        pairs = []
        for seed in range(arguments.seeds):
            settings = {
                "data": arguments.data,
                "folder": arguments.folder,
                "steps": arguments.steps,
                "batch": arguments.batch,
                "seed": seed,
            }
            pairs.append({net: trained(folder, net, settings) for net in NETS})
            print(f"seed {seed}", flush=True)
    of = "" if arguments.data == "digits" else f"_{arguments.data}"
    figures = {"steps": arguments.steps, "batch": arguments.batch, "claims": decided(pairs)}
    write_result(f"clouds{of}", figures, seeds={"run": list(range(arguments.seeds))})


if __name__ == "__main__":
    main()
