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
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from dlcc.past_runs.build.settings import DATA, MIX, REGIONS, draw_setting
from dlcc.recipes import truth
from dlcc.recipes.train import train
from dlcc.records import LABELS

OVERTRAIN, SNAPSHOTS = 1.25, 2


def data_of(number: int) -> str:
    """Ring and digits alternate."""
    return DATA[number % 2]


def run_name(number: int) -> str:
    """The folder of a run."""
    return f"{number:05d}-{data_of(number)}"


def make_run(
    out: Path, corpus_seed: int, number: int, regions: Sequence[str] = tuple(MIX)
) -> truth.Truth:
    """Train one run, or go on with it, and move it into the corpus when it is complete."""
    training = out / ".training" / run_name(number)
    settings = draw_setting(corpus_seed, number, data_of(number), regions)
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
    for data in DATA[:2]:
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
