"""Silent errors in real trainings: how many are found within five steps, and named right.

    python benchmarks/silent_errors.py --seed COMMIT [--seeds 3] [--clean 100] [--only NAME ...]

Each error of `silent_styles.py` sets in at a step that is drawn, and the run ends five steps later;
where it is there from the beginning, the run has five steps. The consistency stage then judges the
run folder, with the paper that the training is meant to follow in it. Clean trainings are the same
ones without an error, and those of `training_styles.py`; each finding of LOG004 to LOG016 on one of
them is a false refutation.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from common import write_result
from silent_styles import GAN_PAPER, R1_PAPER, SILENT, VAE_PAPER, build_gan, build_vae, config_of
from training_styles import BUILDS, FORMULAS

import dlcc
from dlcc.evaluation import evaluate
from dlcc.runs import Run

WITHIN = 5  # steps from an error's first effect to the end of the run
FROM_THE_START = (
    "generator never stepped",
    "optimiser of a model built anew",
    "optimiser without the last layer",
    "generator's optimiser holds both",
    "decoder left out",
    "rate ten times the stated one",
    "betas not passed on",
    "weight decay not passed on",
    "schedule not stepped",
    "average never updated",
    "average takes the weights whole",
)
BY_RULE = tuple(f"LOG{number:03}" for number in range(4, 17))
PAPERS = {"gan": GAN_PAPER, "r1": R1_PAPER, "vae": VAE_PAPER}


def recorded(name: str, family: str, seed: int, folder: Path) -> Run:
    """Record a training with an error, which ends five steps after the error's first effect."""
    draw = random.Random(f"{name}/{seed}")
    onset = 0 if name in FROM_THE_START else draw.randint(2, 6)
    config = config_of(name, onset, seed)
    config["penalised"] = family == "r1"
    config["sorted"] = name == "sorted data not shuffled"
    folder.mkdir(parents=True, exist_ok=True)
    paper = folder / "paper.md"
    paper.write_text(PAPERS[family])
    vae = family == "vae"
    with dlcc.Recorder(
        folder / "run",
        build=build_vae if vae else build_gan,
        length=onset + WITHIN,
        objective={"kind": "vae"} if vae else {"kind": "gan", "loss": "ns"},
        config=config,
        documents=[paper],
    ) as recorder:
        recorder.train(snapshots=onset + WITHIN)
    return Run.open(folder / "run")


def judged(run: Run) -> list[tuple[str, str]]:
    """Codes and messages of the consistency stage's findings."""
    report = evaluate(run, only=["ingestion", "consistency"]).report
    return [(f.code, f.message) for f in report.findings if f.code in BY_RULE]


def codes_of_error(task: tuple[str, int]) -> list[str]:
    """Codes that are found on a training with an error."""
    name, seed = task
    with tempfile.TemporaryDirectory() as folder:
        return sorted(
            {c for c, _ in judged(recorded(name, SILENT[name].family, seed, Path(folder)))}
        )


def found_errors(names: list[str], seeds: list[int], workers: int) -> dict[str, Any]:
    """Count what is found, and what is named right, by kind."""
    tasks = [(name, seed) for name in names for seed in seeds]
    table: dict[str, Any] = {name: {"found": 0, "right": 0, "codes": {}} for name in names}
    with ProcessPoolExecutor(workers) as pool:
        for (name, _), codes in zip(tasks, pool.map(codes_of_error, tasks), strict=True):
            row = table[name]
            row["found"] += bool(codes)
            row["right"] += bool(set(codes) & set(SILENT[name].codes))
            for code in codes:
                row["codes"][code] = row["codes"].get(code, 0) + 1
            print(f"{name:44} {codes}", flush=True)
    return table


def findings_of_clean(task: tuple[int, int]) -> list[str]:
    """What is found on a clean training: every second one of another style."""
    number, seed = task
    styles, families = list(BUILDS), ("gan", "r1", "vae")
    with tempfile.TemporaryDirectory() as folder:
        if number % 2 == 0:
            name = families[number // 2 % 3]
            run = recorded("", name, seed, Path(folder))
        else:
            name = styles[number // 2 % len(styles)]
            with dlcc.Recorder(
                Path(folder) / "run",
                build=BUILDS[name],
                length=8,
                objective={"kind": "vae" if len(FORMULAS[name]) == 1 else "gan"},
                config={"gamma": 10.0, "seed": seed},
            ) as recorder:
                recorder.train(snapshots=4)
            run = Run.open(Path(folder) / "run")
        return [f"{name}: {code}: {message}" for code, message in judged(run)]


def clean_findings(count: int, seed: int, workers: int) -> list[str]:
    """Judge clean trainings: what was found on them."""
    tasks = [(number, seed + number) for number in range(count)]
    with ProcessPoolExecutor(workers) as pool:
        return [line for lines in pool.map(findings_of_clean, tasks) for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default="0", help="hash of the frozen commit")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--clean", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", default=list(SILENT))
    chosen = parser.parse_args()
    started = time.perf_counter()
    first = int(chosen.seed[:8], 16) % 1_000_000
    seeds = [first + k for k in range(chosen.seeds)]
    table = found_errors(chosen.only, seeds, chosen.workers)
    runs = len(table) * chosen.seeds
    wrong = clean_findings(chosen.clean, first, chosen.workers)
    for line in wrong:
        print("clean:", line)
    figures = {
        "kinds": len(table),
        "runs": runs,
        "found": sum(row["found"] for row in table.values()),
        "right": sum(row["right"] for row in table.values()),
        "clean_runs": chosen.clean,
        "clean_with_findings": wrong,
        "minutes": (time.perf_counter() - started) / 60,
        "by_kind": table,
    }
    print({k: v for k, v in figures.items() if k != "by_kind"})
    if set(chosen.only) == set(SILENT):
        write_result("silent_errors", figures, seeds={"errors": seeds, "commit": chosen.seed})


if __name__ == "__main__":
    main()
