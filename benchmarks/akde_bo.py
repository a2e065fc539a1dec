"""The tables of the study of AKDE-BO: its baseline, its method in four modes, and the controls.

    python benchmarks/akde_bo.py [--data digits|mnist5k|fashion|cifar10] [--folder FOLDER]
        [--part tables|rescue] [--arms NAME ...] [--seeds 8] [--steps 800] [--jobs 1]
        [--cache FOLDER] [--finished] [--no-write]

Every arm trains the deep convolutional GAN `akde-dcgan`, narrow enough for a step of 50 ms on one
core, with the same seeds, so that arms are compared in pairs. Judged are the generator as it is and
the average of its weights, which every arm gets here, by the Fréchet distance in the same features:
the digits' classifier's 32, the images' classifier's 64, or those of an untrained network for data
that no classifier knows. Beside it stand the trace of the covariance of the rows' gradients, as it
is and over the squared mean gradient, and the iterations until the baseline's best is reached.

Seeds are drawn by the hash of the commit that froze the recipes. A finished run is kept in the
cache, and an interrupted benchmark goes on where it stopped. Writes
benchmarks/results/akde_bo_DATA.json.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from akde_bo_tables import CONFIDENCE, claims, draw, rescue, table
from common import write_result
from torch import Tensor, nn

from dlcc.control.akde_bo.attach import attach
from dlcc.control.akde_bo.controller import AkdeBo
from dlcc.landscape.per_sample import PerSampleBackward
from dlcc.metrics import frechet_distance
from dlcc.recipes import truth
from dlcc.recipes.adversarial_losses import ADVERSARIAL_LOSSES
from dlcc.recipes.averaged_weights import AveragedWeights
from dlcc.recipes.data.images import KNOWN, smallest
from dlcc.recipes.image_gan import ImageGAN
from dlcc.recipes.image_gans import akde_dcgan

DRAW = "84786355e7dd314be848e89774b6853d017ae520"
WIDTH, SAMPLES, JUDGED_EVERY, NOISE_EVERY = 16, 512, 100, 200
STEPS = {"digits": 800}
OTHER_STEPS = 400
SEEDS = {"digits": 8}
OTHER_SEEDS = 5


@dataclass(frozen=True)
class Arm:
    """One way to train."""

    settings: Mapping[str, Any]
    """Settings of the recipe."""
    control: Mapping[str, Any] | None = None
    """Arguments of the controller; None for none."""


CONTROLS = {name: Arm({"recipe": name}) for name in akde_dcgan.RECIPES}
_OWN = {"recipe": "optimistic"}  # the fixed recipe without its penalty, which the controller brings
MODES = {
    **{mode: Arm({}, {"mode": mode}) for mode in ("literal", "flipped", "reweight")},
    "sculpt": Arm({}, {}),
    "sculpt-own-start": Arm(_OWN, {}),
    "random-walk-own-start": Arm(_OWN, {"surrogate": "random-walk"}),
}
"""Modes from the baseline's settings, as the study has it, and from where `sculpt` would begin."""
_BARE = {"norm": "none"}  # without it no start is bad
STARTS: Mapping[str, tuple[Mapping[str, Any], float]] = {
    "slow": ({**_BARE, "lr": 2e-4}, 0.01),
    "fast": ({**_BARE, "lr": 2e-2}, 1.0),
    "momentum": ({**_BARE, "lr": 4e-3, "beta1": 0.9}, 1.0),
}
"""Bad starts: settings, and the penalty's strength at first."""
RESCUERS = ("gp", "random-walk", "prior")
RESCUES: dict[str, Arm] = {
    "bare-baseline": Arm(_BARE),
    "bare-fixed": Arm({**_BARE, "recipe": "fixed"}),
    **{f"{start}-left": Arm({**how, "r1": gamma}) for start, (how, gamma) in STARTS.items()},
    **{
        f"{start}-{surrogate}": Arm(how, {"surrogate": surrogate, "penalty": gamma})
        for start, (how, gamma) in STARTS.items()
        for surrogate in RESCUERS
    },
}
PARTS: Mapping[str, Mapping[str, Arm]] = {"tables": {**CONTROLS, **MODES}, "rescue": RESCUES}
ARMS: Mapping[str, Arm] = {name: arm for part in PARTS.values() for name, arm in part.items()}
RESCUE_STEPS, RESCUE_SEEDS = 400, 10
FIGURES = Path(__file__).parent.parent / "docs" / "control"
DRAWN = ("baseline", "literal", "flipped", "sculpt", "sculpt-own-start", "fixed", "lr4e-3")
"""Arms in the chart."""


@dataclass
class Curve:
    """Figures of a run at the steps at which it is judged."""

    steps: list[int] = field(default_factory=list)
    raw: list[float] = field(default_factory=list)
    average: list[float] = field(default_factory=list)
    coverage: list[float] = field(default_factory=list)
    noise: list[dict[str, Any]] = field(default_factory=list)


def seeds_of(draw: str, data: str, n: int) -> list[int]:
    """Draw seeds of a data set by a commit's hash."""
    rng = np.random.default_rng([int(draw[:12], 16), *data.encode()])
    return [int(seed) for seed in rng.integers(1 << 30, size=n)]


def trained(data: str, folder: str, arm: Arm, seed: int, steps: int, width: int) -> dict[str, Any]:
    """Train one arm with one seed, and judge it on the way."""
    settings = {"data": data, "folder": folder, "seed": seed, "width": width, "steps": steps}
    training = akde_dcgan.build({**settings, **arm.settings})
    control = attached(training, arm)
    average = AveragedWeights(training.generator)
    judge, curve, spent = judge_of(data, training), Curve(), 0.0
    for step in range(steps):
        begun = time.process_time()
        row = training.step(step)
        if control is not None:
            control.watch(step, row)
        spent += time.process_time() - begun
        average.follow(step)
        if (step + 1) % NOISE_EVERY == 0:
            curve.noise.append({"step": step + 1, **gradient_noise(training, step + 1)})
        if (step + 1) % JUDGED_EVERY == 0:
            judge_into(curve, judge, training, average, step + 1)
    made: dict[str, Any] = {"seed": seed, "milliseconds": 1e3 * spent / steps, **vars(curve)}
    if control is not None:
        made["actions"] = [action.words for action in control.actions]
        made["best"] = judged_best(control, judge, training)
    return made


def attached(training: akde_dcgan.DCGAN, arm: Arm) -> AkdeBo | None:
    """Attach the arm's controller, if it has one."""
    return None if arm.control is None else attach(training, **arm.control)


def judged_best(control: AkdeBo, judge: Judge, training: ImageGAN) -> dict[str, float] | None:
    """Judge the best state that the controller kept."""
    best = control.best_state
    if best is None:
        return None
    average = AveragedWeights(training.generator)
    average.load_state_dict(best.players["generator"])
    with average.applied():
        return {"step": best.step, "distance": judge(plain_samples(training, best.step))[0]}


# --- judging ----------------------------------------------------------------------------------

Judge = Callable[[Tensor], tuple[float, float]]


def judge_of(data: str, training: ImageGAN) -> Judge:
    """Make the function that judges samples in [0, 1]: Fréchet distance and share of classes."""
    if data not in KNOWN:
        return untrained_judge(training)

    def judge(samples: Tensor) -> tuple[float, float]:
        """Distance and coverage by the data's classifier."""
        images = 2 * samples.numpy() - 1
        rows = smallest(images[:, 0]) if data == "digits" else images.reshape(len(images), -1)
        judged = truth.judge_samples(KNOWN[data], 0, rows)
        return math.inf if judged.frechet is None else judged.frechet, judged.coverage

    return judge


def untrained_judge(training: ImageGAN) -> Judge:
    """Judge by an untrained network's features: for data that no classifier knows."""
    from dlcc.metrics.image_features import UntrainedConvolutions

    seen = UntrainedConvolutions.of(training.images[:5_000].numpy())
    real = seen(training.images[:5_000].numpy())

    def judge(samples: Tensor) -> tuple[float, float]:
        """Distance alone."""
        return float(frechet_distance(seen(samples.numpy()), real)), 0.0

    return judge


def judge_into(
    curve: Curve, judge: Judge, training: ImageGAN, average: AveragedWeights, step: int
) -> None:
    """Judge the generator as it is, and its average."""
    raw, coverage = judge(plain_samples(training, step))
    with average.applied():
        averaged, coverage = judge(plain_samples(training, step))
    curve.steps.append(step)
    curve.raw.append(raw)
    curve.average.append(averaged)
    curve.coverage.append(coverage)


def plain_samples(training: ImageGAN, step: int) -> Tensor:
    """Draw samples of the weights that the generator has."""
    return ImageGAN.sample(training, SAMPLES, step)


def gradient_noise(training: ImageGAN, step: int) -> dict[str, list[float]]:
    """Measure each player's trace of the covariance of rows' gradients, and its share of ‖ḡ‖²."""
    rows = ADVERSARIAL_LOSSES["ns"]
    real, z = training.batch(step)
    with torch.no_grad():
        fake = training.generator(z)

    def of_rival(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Loss of each row."""
        return rows.discriminator(model(batch[0])[:, 0], model(batch[1])[:, 0])

    def of_generator(model: nn.Module, batch: Tensor) -> Tensor:
        """Loss of each row."""
        return rows.generator(training.discriminator(model(batch))[:, 0])

    found = {}
    for name, loss, batch in (
        ("discriminator", of_rival, (real, fake)),
        ("generator", of_generator, z),
    ):
        noise = PerSampleBackward.of(training.players[name], loss, batch).noise()
        found[name] = [noise.trace, noise.trace / max(noise.mean_norm**2, 1e-30)]
    return found


# --- comparing --------------------------------------------------------------------------------


def kept(
    cache: Path | None, name: str, steps: int, train: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Read what was trained already for at least these steps, or train it now."""
    path = None if cache is None else cache / f"{name}.json"
    if path is not None and path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        if found["steps"][-1] >= steps:
            return cut(found, steps)
    begun = time.time()
    made = train()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(made))
        part.replace(path)
    print(name, f"{time.time() - begun:.0f} s", file=sys.stderr, flush=True)
    return made


def cut(run: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """Cut a run to its first steps; what comes later does not bear on them."""
    n = sum(step <= steps for step in run["steps"])
    curves = {key: run[key][:n] for key in ("steps", "raw", "average", "coverage")}
    return {**run, **curves, "noise": [row for row in run["noise"] if row["step"] <= steps]}


Job = tuple[str, str, str, int, int, Path | None]
"""Data, folder, arm, seed, steps and cache of a run."""


def train_job(job: Job) -> dict[str, Any]:
    """Train one run of the benchmark, or read it."""
    torch.set_num_threads(1)
    data, folder, arm, seed, steps, cache = job
    return kept(
        cache,
        name_of(job),
        steps,
        lambda: trained(data, folder, ARMS[arm], seed, steps, WIDTH),
    )


def train_all(jobs: Sequence[Job], at_once: int) -> list[dict[str, Any]]:
    """Train runs, several at a time where that is asked for."""
    if at_once == 1:
        return [train_job(job) for job in jobs]
    with ProcessPoolExecutor(at_once) as pool:
        return list(pool.map(train_job, jobs))


def finished(jobs: Sequence[Job]) -> list[Job]:
    """Those of the jobs whose runs lie in the cache."""
    return [
        job for job in jobs if job[5] is not None and (job[5] / f"{name_of(job)}.json").exists()
    ]


def name_of(job: Job) -> str:
    """Name of a run in the cache."""
    return f"{job[0]}-{WIDTH}-{job[2]}-{job[3]}"


def step_cost(steps: int = 80) -> dict[str, float]:
    """CPU time of a step under each mode, relative to the baseline's, by turns of ten steps."""
    arms = {"baseline": ARMS["baseline"], **MODES, "fixed": ARMS["fixed"]}
    trainings = {
        name: akde_dcgan.build({"width": WIDTH, **arm.settings}) for name, arm in arms.items()
    }
    for name, training in trainings.items():
        attached(training, arms[name])
    spent: dict[str, list[float]] = {name: [] for name in arms}
    for first in range(0, steps, 10):
        for name, training in trainings.items():
            begun = time.process_time()
            for step in range(first, first + 10):
                training.step(step)
            spent[name].append(time.process_time() - begun)
    base = np.array(spent["baseline"])
    return {
        name: float(np.sum(values) / base.sum()) for name, values in spent.items() if name in MODES
    } | {"fixed": float(np.sum(spent["fixed"]) / base.sum())}


def main() -> None:
    """Train what is not trained yet, compare, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--folder", default="", help="files of the data; digits need none")
    parser.add_argument("--part", default="tables", choices=list(PARTS))
    parser.add_argument("--arms", nargs="*", choices=list(ARMS), help="default: all of the part")
    parser.add_argument("--seeds", type=int, help="runs of an arm")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--cache", type=Path, help="folder for runs that are finished")
    parser.add_argument("--draw", default=DRAW, help="hash of the commit that draws the seeds")
    parser.add_argument("--finished", action="store_true", help="of what is in the cache alone")
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    data = arguments.data
    rescues = arguments.part == "rescue"
    steps = arguments.steps or (RESCUE_STEPS if rescues else STEPS.get(data, OTHER_STEPS))
    n = arguments.seeds or (RESCUE_SEEDS if rescues else SEEDS.get(data, OTHER_SEEDS))
    arms = arguments.arms or list(PARTS[arguments.part])
    jobs: list[Job] = [
        (data, arguments.folder, arm, seed, steps, arguments.cache)
        for seed in seeds_of(arguments.draw, data, n)
        for arm in arms
    ]
    if arguments.finished:
        jobs = finished(jobs)
    ran = train_all(jobs, arguments.jobs)
    runs = {arm: [run for run, job in zip(ran, jobs, strict=True) if job[2] == arm] for arm in arms}
    if arguments.no_write:
        return
    figures: dict[str, Any] = {"steps": steps, "width": WIDTH, "samples": SAMPLES}
    if rescues:
        figures |= {"rescue": rescue(runs, list(STARTS), RESCUERS)}
    else:
        found = table(runs)
        figures |= {"arms": found, "claims": claims(found, data)}
        if data == "digits":
            figures["step_cost"] = step_cost()
        draw(runs, DRAWN, FIGURES / f"akde_bo_{data}.svg", f"{data}, {steps} iterations")
    name = "akde_bo_rescue" if rescues else f"akde_bo_{data}"
    seeds = {"drawn_by": arguments.draw, "most": n, "confidence": CONFIDENCE}
    write_result(name, figures, seeds=seeds)


if __name__ == "__main__":
    main()
