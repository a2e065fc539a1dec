"""Maps between distributions, as their paper has them and mended, five seeds each.

    python benchmarks/maps.py

Of fresh points: MMD² with the width of the target's median (.263 for the square, 2.77 for the
Gaussian) and sliced W₁ over its noise floor, both over 10 draws of 2,000; of 20,000 the share of
the 400 equally likely cells that are filled, χ² over those that lie in a cell, and their share. Of
the paper's variant the MMD² of the test rows in the last epoch, beside the table's end.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import torch
from common import write_result
from numpy.typing import NDArray

from dlcc.metrics import chi_squared, sliced_wasserstein, squared_mmd
from dlcc.recipes import mmd_maps
from dlcc.recipes.data.points import POINTS

SEEDS = range(5)
DRAWS, ROWS, POINTS_IN_ALL, CELLS = 10, 2000, 20_000, 20
MEDIAN = {"square": 0.263, "gaussian": 2.77}
TABLE = {"f1": 0.0873, "f2": 0.0967, "f3": 0.0287}


def trained(name: str, variant: str, seed: int) -> dict[str, float]:
    """Train one, and judge what it maps fresh inputs to."""
    training = mmd_maps.build({"map": name, "variant": variant, "seed": seed})
    start = time.process_time()
    row: dict[str, float] = {}
    for step in range(training.length):
        row |= training.step(step)
    found = {"cpu_seconds": time.process_time() - start}
    if variant == "paper":
        found["test_mmd"] = row["generator/test_mmd"]
    return found | judged(name, training)


def judged(name: str, training: mmd_maps.DistributionMap) -> dict[str, float]:
    """The figures of a trained map."""
    distances, slices, floors = [], [], []
    target = mmd_maps.MAPS[name].target
    for draw in range(DRAWS):
        rng = np.random.default_rng([training.seed, draw])
        made = training.sample(ROWS, draw).numpy()
        data, other = (mmd_maps.target(name, ROWS, rng).numpy() for _ in range(2))
        distances.append(squared_mmd(made, data, MEDIAN[target]).value)
        slices.append(sliced_wasserstein(made, data).value)
        floors.append(sliced_wasserstein(other, data).value)
    counts = cells(target, training.sample(POINTS_IN_ALL, DRAWS).numpy())
    chi = chi_squared(counts)
    return {
        "mmd2": statistics.fmean(distances),
        "sw1_over_floor": statistics.fmean(slices) / statistics.fmean(floors),
        "cells_filled": chi.filled.value,
        "chi2_over_df": chi.over_df.value,
        "share_in_cells": float(counts.sum() / POINTS_IN_ALL),
    }


def cells(target: str, points: NDArray[Any]) -> NDArray[np.int64]:
    """Points in each cell of equal probability; the cells of the square are on [−1, 1]²."""
    return POINTS[target].cells(2 * points - 1 if target == "square" else points, CELLS).counts


def main() -> None:
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    for variant in ("mended", "paper"):
        for name in mmd_maps.MAPS:
            runs = [trained(name, variant, seed) for seed in SEEDS]
            figures[f"{name} {variant}"] = {
                key: {
                    "median": statistics.median(run[key] for run in runs),
                    "low": min(run[key] for run in runs),
                    "high": max(run[key] for run in runs),
                }
                for key in runs[0]
            }
            if variant == "paper":
                figures[f"{name} {variant}"]["table"] = TABLE[name]
            print(name, variant, figures[f"{name} {variant}"], flush=True)
    write_result("maps", figures, seeds={"run": list(SEEDS)})


if __name__ == "__main__":
    main()
