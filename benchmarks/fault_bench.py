"""Fault bench: real trainings with a fault in their code, judged by what people log of them.

    python benchmarks/fault_bench.py --work FOLDER [--jobs 1] [--peer PYTHON] [--development]

Five recipes (a ring of Gaussians, digits, a convolutional GAN on Fashion-MNIST, a Wasserstein GAN
with gradient penalty, a variational autoencoder), 39 kinds of faults, five seeds each, with the
fault-free twin of each seed and healthy trainings of other settings. Trains into the work folder
what is not there yet (half an hour on a busy core); judging takes a minute. Needs Debian's
dataset-fashion-mnist, or FASHION_MNIST with the folder of its files. Each run's log is written in
one of the habits of `faults/habits.py`. Which part is held out: `faults/split.py`.

With --peer, a Python that has trainproof, its verdicts on the same logs stand beside.
With --development, only the figures of the development part are printed, and none is written.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from common import write_result
from faults import split
from faults.habits import WITH_METRIC
from faults.judging import KIND_OF, Judged, by_diagnose, hit, judged
from faults.peer import lint, tables
from faults.population import SEEDS, Member, groups, members, train
from faults.scores import by, scores
from faults.thresholds import by_thresholds

JUDGES = {"diagnose": by_diagnose, "thresholds": by_thresholds}
METRIC_HABITS = {habit.__name__.lstrip("_") for habit in WITH_METRIC}
PARTS = {"test": ("test",), "never_looked_at": ("test", "rest"), "development": ("development",)}


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


def judge_all(chosen: Sequence[Member], work: Path, peer: Path | None) -> list[Judged]:
    """Judge trainings by diagnose, by thresholds, and by the peer where there is one."""
    if peer is None:
        return [judged(member, work, JUDGES) for member in chosen]
    logs: list[Any] = []

    def keep(log: Path, recording: Any) -> Any:
        logs.append(tables(log))
        return by_thresholds(log, recording)

    runs = [judged(member, work, {**JUDGES, "thresholds": keep}) for member in chosen]
    linted = lint(logs, peer)
    return [
        replace(run, said={**run.said, "trainproof": said})
        for run, said in zip(runs, linted, strict=True)
    ]


def figures(runs: Sequence[Judged]) -> dict[str, Any]:
    """Figures of one part by all judges, and of diagnose by kind, recipe and habit."""
    judges = list(runs[0].said) if runs else []
    table: dict[str, Any] = {
        judge: scores(runs, judge, kinds_matter=judge != "trainproof") for judge in judges
    }
    faulty = [run for run in runs if run.is_fault]
    return table | {
        "by_kind": by(faulty, lambda run: f"{run.group} {run.recipe}", "diagnose"),
        "by_recipe": by(runs, lambda run: run.recipe, "diagnose"),
        "by_metric": by(
            (run for run in faulty if run.recipe != "vae"),
            lambda run: "with one" if run.habit in METRIC_HABITS else "losses alone",
            "diagnose",
        ),
        "by_habit": by(runs, lambda run: run.habit, "diagnose"),
        "missed": [
            f"{run.recipe} {run.group} {run.seed} {run.habit}: {run.said['diagnose'].state} "
            f"{' '.join(run.said['diagnose'].codes)}"
            for run in faulty
            if run.shows and not hit(run, run.said["diagnose"])
        ],
        "healthy_alarms": [
            f"{run.recipe} {run.group} {run.seed} {run.habit}: {' '.join(said.codes)}"
            for run in runs
            if not run.is_fault and run.good and (said := run.said["diagnose"]).codes
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--peer", type=Path, help="Python in which trainproof is installed")
    parser.add_argument("--development", action="store_true")
    arguments = parser.parse_args()
    train_all(arguments.work, arguments.jobs)
    wanted = ("development",) if arguments.development else ("test", "rest", "development")
    chosen = [member for member in members() if split.part_of(member) in wanted]
    runs = judge_all(chosen, arguments.work, arguments.peer)
    parts = {
        name: figures(
            [run for run in runs if split.part_of(Member(run.group, run.recipe, run.seed)) in of]
        )
        for name, of in PARTS.items()
        if set(of) <= set(wanted)
    }
    if arguments.development:
        print(json.dumps(parts, indent=1))
        return
    held = split.test()
    write_result(
        "faults",
        {
            "kinds": len(KIND_OF),
            "trainings": len(runs),
            "test_kinds": sorted(held.kinds),
            "test_recipes": sorted(held.recipes),
            **parts,
        },
        seeds={"trainings": list(range(SEEDS)), "brought": split.BROUGHT, "frozen": split.FROZEN},
    )


if __name__ == "__main__":
    main()
