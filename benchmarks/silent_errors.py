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
from collections import Counter
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


def found_errors(names: list[str], seeds: list[int]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for name in names:
        silent = SILENT[name]
        right = any_found = 0
        said: Counter[str] = Counter()
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                findings = judged(recorded(name, silent.family, seed, Path(folder)))
            codes = {code for code, _ in findings}
            said.update(codes)
            any_found += bool(codes)
            right += bool(codes & set(silent.codes))
        table[name] = {"found": any_found, "right": right, "codes": dict(said)}
        print(
            f"{name:44} found {any_found} right {right} of {len(seeds)}  {dict(said)}", flush=True
        )
    return table


def clean_findings(count: int, seed: int) -> tuple[int, list[str]]:
    """Judge clean trainings: how many, and what was found on them."""
    wrong: list[str] = []
    done = 0
    families = ("gan", "r1", "vae")
    styles = list(BUILDS)
    while done < count:
        with tempfile.TemporaryDirectory() as folder:
            if done % 2 == 0:
                family = families[done // 2 % 3]
                run = recorded("", family, seed + done, Path(folder))
                name = family
            else:
                name = styles[done // 2 % len(styles)]
                vae = len(FORMULAS[name]) == 1
                with dlcc.Recorder(
                    Path(folder) / "run",
                    build=BUILDS[name],
                    length=8,
                    objective={"kind": "vae" if vae else "gan"},
                    config={"gamma": 10.0, "seed": seed + done},
                ) as recorder:
                    recorder.train(snapshots=4)
                run = Run.open(Path(folder) / "run")
            wrong += [f"{name}: {code}: {message}" for code, message in judged(run)]
        done += 1
    return done, wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", default="0", help="hash of the frozen commit")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--clean", type=int, default=100)
    parser.add_argument("--only", nargs="*", default=list(SILENT))
    chosen = parser.parse_args()
    started = time.perf_counter()
    first = int(chosen.seed[:8], 16) % 1_000_000
    seeds = [first + k for k in range(chosen.seeds)]
    table = found_errors(chosen.only, seeds)
    runs = len(table) * chosen.seeds
    clean, wrong = clean_findings(chosen.clean, first)
    for line in wrong:
        print("clean:", line)
    figures = {
        "kinds": len(table),
        "runs": runs,
        "found": sum(row["found"] for row in table.values()),
        "right": sum(row["right"] for row in table.values()),
        "clean_runs": clean,
        "clean_with_findings": wrong,
        "minutes": (time.perf_counter() - started) / 60,
        "by_kind": table,
    }
    print({k: v for k, v in figures.items() if k != "by_kind"})
    if set(chosen.only) == set(SILENT):
        write_result("silent_errors", figures, seeds={"errors": seeds, "commit": chosen.seed})


if __name__ == "__main__":
    main()
