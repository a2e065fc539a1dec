"""What mends the vanilla GAN of the study of loss-gradient clouds, which fails as it comes.

    python benchmarks/clouds_mended.py [--cache DIR]

The recipe lgc-vanilla with every loss and optimiser that it has, five seeds each, on digits and
otherwise as it comes: cross-entropy and Adam are the study's, the others its further work. How each
ended by the truth and by the health stage, and the Fréchet distance of the digits classifier at the
last sample step. "advised" is the first change that `dlcc advise --no-reruns` names for each run as
the study has it.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from common import write_result

from dlcc.advice.folder import advise_folder
from dlcc.evaluation import evaluate
from dlcc.recipes import truth
from dlcc.recipes.train import train
from dlcc.records import HealthRecord
from dlcc.runs import Run

SEEDS = range(5)
LOSSES, OPTIMIZERS = ("ns", "wgan", "wgangp"), ("adam", "rmsprop")
STUDY = ("ns", "adam")


def ended(out: Path, loss: str, optimizer: str, seed: int) -> dict[str, Any]:
    """Train it unless it lies there; how it ended."""
    judged = train("lgc-vanilla", out, {"loss": loss, "optimizer": optimizer, "seed": seed})
    assert isinstance(judged, truth.Truth)
    found = evaluate(out, only=["health"]).record(HealthRecord)
    assert found is not None
    frechet = judged.checkpoints[-1].frechet
    return {
        "truth": judged.label,
        "verdict": found.label,
        "p_healthy": found.probabilities["healthy"],
        "frechet": float("nan") if frechet is None else frechet,
    }


def summed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Five seeds in a line."""
    distances = [run["frechet"] for run in runs]
    certain = [run["p_healthy"] for run in runs]
    return {
        "truth": dict(Counter(run["truth"] for run in runs)),
        "verdict": dict(Counter(run["verdict"] for run in runs)),
        "healthy_told": sum((r["truth"] == "healthy") == (r["verdict"] == "healthy") for r in runs),
        "p_healthy": {"low": min(certain), "high": max(certain)},
        "frechet": {
            "median": statistics.median(distances), "low": min(distances), "high": max(distances),
        },
    }  # fmt: skip


def advised(out: Path) -> str:
    """The first change that past runs advise."""
    run = Run.open(out)
    found = advise_folder(run, 60, reruns=False, trust=False)
    return found.advised.shown()[0].change.words(run.manifest.config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="keep runs here, and use those that are")
    folder = parser.parse_args().cache or Path(tempfile.mkdtemp())
    figures: dict[str, Any] = {}
    for loss, optimizer in itertools.product(LOSSES, OPTIMIZERS):
        places = [folder / f"{loss}-{optimizer}-{seed}" for seed in SEEDS]
        runs = [ended(p, loss, optimizer, s) for p, s in zip(places, SEEDS, strict=True)]
        figures[f"{loss}, {optimizer}"] = summed(runs)
        if (loss, optimizer) == STUDY:
            figures["advised"] = dict(Counter(advised(place) for place in places))
        print(loss, optimizer, figures[f"{loss}, {optimizer}"], flush=True)
    write_result("clouds_mended", figures, seeds={"run": list(SEEDS)})


if __name__ == "__main__":
    main()
