"""A corpus of small GANs of many settings, each a recorded run with its truth beside it.

    python benchmarks/corpus.py --out /tmp/corpus --n 400 --seed 1 --jobs 2

Run number i of a seed is always the same training, whatever n is: half ring, half digits, a random
setting, 2,500 steps and on to 1.25 of that. Another --seed gives other settings and other training
seeds. Runs are trained under `<out>/.training` and moved to `<out>/<number>-<data>` when they are
complete, so that a corpus can be read while it grows, and a killed one is taken up again where it
was. At the end, and with --table at once, it prints how many runs of each data set ended how.

Settings come from four regions of learning rates, because with rates drawn over many decades one
run in 40 is healthy. A fifth, which has to be asked for, is of trainings that get good first and
fail later, which few of the others do:

    python benchmarks/corpus.py --out /tmp/corpus-drift --n 60 --seed 3 --regions drift
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from dlcc.recipes import truth
from dlcc.recipes.train import train
from dlcc.records import LABELS

STEPS, OVERTRAIN, SNAPSHOTS = 2500, 1.25, 2
DATA = ("ring", "digits")
SEEDS_APART = 1_000_000  # training seeds of one corpus: its seed times this, plus the number

Shares = Mapping[Any, float]


@dataclass(frozen=True)
class Region:
    """Where settings are drawn from."""

    share: float
    """Of the runs, relative to the other regions that are asked for."""
    lr_d: tuple[float, float]
    """Range of the discriminator's rate; for SGD the rates are twenty times as large."""
    lr_ratio: tuple[float, float]
    """Range of the generator's rate relative to it."""
    choices: Mapping[str, Shares] = field(default_factory=dict)
    """In place of those of `CHOICES`."""


MIX = {
    "sound": Region(0.58, (1e-3, 8e-3), (0.15, 1.5)),
    "broad": Region(0.14, (1e-4, 1e-1), (0.01, 10.0)),
    "slow": Region(0.05, (3e-5, 5e-4), (0.3, 3.0)),
    "rough": Region(0.23, (1e-1, 10.0), (0.1, 3.0)),
}
PLAIN: dict[str, Shares] = {key: {1: 1.0} for key in ("g_every", "d_every", "init")}
DRIFT = {  # good first, failing later: what does that differs between the data sets
    "ring": Region(
        1.0, (1.8e-2, 5e-2), (0.15, 0.5),
        PLAIN | {
            "loss": {"ns": 0.4, "mm": 0.3, "wgangp": 0.3},
            "optimizer": {"adam": 0.6, "rmsprop": 0.4},
            "beta1": {0.0: 0.6, 0.5: 0.4},
            "beta2": {0.99: 0.6, 0.9: 0.4},
            "r1": {0.0: 1.0},
            "width": {32: 0.5, 64: 0.5},
            "depth": {2: 0.5, 3: 0.5},
        },
    ),
    "digits": Region(
        1.0, (2e-3, 5e-3), (0.2, 0.7),
        PLAIN | {
            "loss": {"mm": 1.0},
            "optimizer": {"rmsprop": 1.0},
            "beta2": {0.98: 0.3, 0.99: 0.5, 0.995: 0.2},
            "r1": {0.0: 1.0},
            "batch": {32: 0.8, 64: 0.2},
            "width": {32: 0.8, 64: 0.2},
            "depth": {2: 1.0},
            "zdim": {4: 0.7, 8: 0.3},
        },
    ),
}  # fmt: skip
REGIONS = (*MIX, "drift")
SGD_FACTOR = 20.0
HIGHEST_RATE = 10.0

# key -> value -> its share
CHOICES: dict[str, Shares] = {
    "loss": {"ns": 0.3, "mm": 0.2, "ls": 0.15, "hinge": 0.2, "wgangp": 0.15},
    "optimizer": {"adam": 0.5, "rmsprop": 0.2, "sgd": 0.3},
    "beta1": {0.0: 0.35, 0.5: 0.45, 0.9: 0.2},
    "g_every": {1: 0.85, 2: 0.08, 5: 0.07},
    "d_every": {1: 0.9, 2: 0.06, 5: 0.04},
    "r1": {0.0: 0.6, 0.1: 0.25, 1.0: 0.1, 10.0: 0.05},
    "batch": {32: 0.8, 16: 0.1, 64: 0.1},
    "width": {32: 0.8, 16: 0.1, 64: 0.1},
    "depth": {2: 0.8, 1: 0.1, 3: 0.1},
    "zdim": {8: 0.5, 4: 0.2, 16: 0.3},
    "beta2": {0.999: 0.6, 0.99: 0.2, 0.9: 0.2},
    "init": {1.0: 0.6, 0.5: 0.15, 2.0: 0.15, 4.0: 0.1},
}


def draw_setting(
    corpus_seed: int, number: int, regions: Sequence[str] = tuple(MIX)
) -> dict[str, Any]:
    """The configuration of one run: a function of the corpus' seed, its regions and the number."""
    rng = np.random.default_rng([corpus_seed, number])
    settings = {key: _draw(rng, shares) for key, shares in CHOICES.items()}
    offered = MIX | {"drift": DRIFT[data_of(number)]}
    region = offered[_draw(rng, {name: offered[name].share for name in regions})]
    settings |= {key: _draw(rng, shares) for key, shares in region.choices.items()}
    factor = SGD_FACTOR if settings["optimizer"] == "sgd" else 1.0
    lr_d = factor * _log_uniform(rng, *region.lr_d)
    lr_g = lr_d * _log_uniform(rng, *region.lr_ratio)
    settings["lr_d"] = float(f"{min(lr_d, HIGHEST_RATE):.3g}")
    settings["lr_g"] = float(f"{min(lr_g, HIGHEST_RATE):.3g}")
    return settings | {"steps": STEPS, "seed": corpus_seed * SEEDS_APART + number}


def data_of(number: int) -> str:
    """Data sets alternate."""
    return DATA[number % len(DATA)]


def _draw(rng: np.random.Generator, shares: Shares) -> Any:
    p = np.array(list(shares.values()))
    return list(shares)[int(rng.choice(len(p), p=p / p.sum()))]


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def run_name(number: int) -> str:
    """The folder of a run."""
    return f"{number:05d}-{data_of(number)}"


def make_run(
    out: Path, corpus_seed: int, number: int, regions: Sequence[str] = tuple(MIX)
) -> truth.Truth:
    """Train one run, or go on with it, and move it into the corpus when it is complete."""
    training = out / ".training" / run_name(number)
    settings = draw_setting(corpus_seed, number, regions)
    judged = train(data_of(number), training, settings, overtrain=OVERTRAIN, snapshots=SNAPSHOTS)
    training.rename(out / run_name(number))
    return judged


def make_corpus(
    out: Path, n: int, corpus_seed: int, jobs: int, regions: Sequence[str] = tuple(MIX)
) -> None:
    """Train what is missing of the runs 0 … n − 1."""
    (out / ".training").mkdir(parents=True, exist_ok=True)
    missing = [number for number in range(n) if not (out / run_name(number)).exists()]
    with ProcessPoolExecutor(jobs, mp_context=get_context("forkserver")) as pool:
        futures = {pool.submit(make_run, out, corpus_seed, k, regions): k for k in missing}
        for done, future in enumerate(as_completed(futures), start=1):
            label = future.result().label
            print(f"{done}/{len(missing)}  {run_name(futures[future])}  {label}", flush=True)


def print_table(out: Path) -> None:
    """Labels by data set, and how many runs have an onset."""
    truths = [truth.read(path.parent) for path in sorted(out.glob(f"*/{truth.TRUTH_FILE}"))]
    print(f"{'':8}{'runs':>6}" + "".join(f"{label:>13}" for label in LABELS) + f"{'onset':>8}")
    for data in DATA:
        of_data = [t for t in truths if t.data == data]
        counts = Counter(t.label for t in of_data)
        cells = (f"{counts[k]} ({100 * counts[k] / max(1, len(of_data)):.0f} %)" for k in LABELS)
        onsets = sum(t.onset is not None for t in of_data)
        print(f"{data:8}{len(of_data):6}" + "".join(f"{c:>13}" for c in cells) + f"{onsets:8}")


def _region_names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    for name in names:
        if name not in REGIONS:
            raise argparse.ArgumentTypeError(
                f"there is no region {name!r}; there are {', '.join(REGIONS)}"
            )
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the corpus")
    parser.add_argument("--n", type=int, default=400, help="runs")
    parser.add_argument("--seed", type=int, default=1, help="of the settings")
    parser.add_argument(
        "--regions",
        type=_region_names,
        default=tuple(MIX),
        metavar="NAME[,NAME]",
        help=f"of the settings, of {', '.join(REGIONS)}; all but drift unless told",
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    if not arguments.table:
        make_corpus(arguments.out, arguments.n, arguments.seed, arguments.jobs, arguments.regions)
    print_table(arguments.out)


if __name__ == "__main__":
    main()
