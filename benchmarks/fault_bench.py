"""Fault bench: real trainings with a fault in their code, judged by what people log of them.

    python benchmarks/fault_bench.py --work FOLDER [--jobs 1]

Trains into the work folder what is not there yet.
"""

from __future__ import annotations

import argparse
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from faults.population import groups, train


def train_one(group: str, recipe: str, work: Path) -> str:
    """Train one in a process of its own thread."""
    import torch

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    train(group, recipe, work)
    return f"{recipe} {group}"


def train_all(work: Path, jobs: int) -> None:
    """Train all that are not there yet."""
    work.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(jobs, mp_context=get_context("forkserver")) as pool:
        futures = [pool.submit(train_one, group, recipe, work) for group, recipe in groups()]
        for done, future in enumerate(as_completed(futures), start=1):
            print(f"{done}/{len(futures)} {future.result()}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    train_all(arguments.work, arguments.jobs)


if __name__ == "__main__":
    main()
