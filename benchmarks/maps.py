"""Maps between distributions, as their paper has them and mended, five seeds each.

    python benchmarks/maps.py

Of fresh points: MMD² with the width of the target's median (.263 for the square, 2.77 for the
Gaussian) and sliced W₁ over its noise floor, both over 40 draws of 2,000; of 20,000 the share of
the 400 equally likely cells that are filled, χ² over those that lie in a cell, and their share. Of
the paper's variant the MMD² of the test rows at the epoch of its table's last row, beside that row,
and in the last epoch, which the table does not have. Fresh points of the targets are judged as
well: no map can do better.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from common import over_seeds, write_result
from numpy.typing import NDArray

from dlcc.metrics import chi_squared, sliced_wasserstein, squared_mmd
from dlcc.recipes.data.points import POINTS
from dlcc.recipes.maps import mmd_maps

SEEDS = range(5)
DRAWS, FLOOR_DRAWS, ROWS, POINTS_IN_ALL, CELLS = 40, 200, 2000, 20_000, 20
MEDIAN = {"square": 0.263, "gaussian": 2.77}
TABLE = {"f1": (900, 0.0873), "f2": (1500, 0.0967), "f3": (200, 0.0287)}  # the last row's epoch

Draw = Callable[[int, int], NDArray[Any]]
"""Rows [n, 2] from their number and that of the draw."""


def trained(name: str, variant: str, seed: int) -> dict[str, float]:
    """Train one, and judge what it maps fresh inputs to."""
    training = mmd_maps.build({"map": name, "variant": variant, "seed": seed})
    start = time.process_time()
    rows = [training.step(step) for step in range(training.length)]
    found = {"cpu_seconds": time.process_time() - start}
    if variant == "paper":
        tested = [row["generator/test_mmd"] for row in rows if "generator/test_mmd" in row]
        epoch, _ = TABLE[name]
        found |= {"test_mmd_at_table": tested[epoch], "test_mmd": tested[-1]}
    return found | judged(name, seed, lambda n, draw: training.sample(n, draw).numpy())


def itself(name: str, seed: int) -> dict[str, float]:
    """The figures of fresh points of a map's target."""

    def fresh(n: int, draw: int) -> NDArray[Any]:
        return mmd_maps.target(name, n, np.random.default_rng([seed, draw, 1])).numpy()

    return judged(name, seed, fresh)


def judged(name: str, seed: int, made: Draw, draws: int = DRAWS) -> dict[str, float]:
    """The figures of what a map makes."""
    distances, slices = [], []
    target = mmd_maps.MAPS[name].target
    for draw in range(draws):
        data = mmd_maps.target(name, ROWS, np.random.default_rng([seed, draw])).numpy()
        rows = made(ROWS, draw)
        distances.append(squared_mmd(rows, data, gamma=1 / MEDIAN[target]).value)
        slices.append(sliced_wasserstein(rows, data).value)
    counts = cells(target, made(POINTS_IN_ALL, draws))
    chi = chi_squared(counts)
    return {
        "mmd2": statistics.fmean(distances),
        "sw1_over_floor": statistics.fmean(slices) / floor(name),
        "cells_filled": chi.filled.value,
        "chi2_over_df": chi.over_df.value,
        "share_in_cells": float(counts.sum() / POINTS_IN_ALL),
    }


@cache
def floor(name: str) -> float:
    """Sliced W₁ between fresh rows of a map's target, on average."""
    rng = np.random.default_rng(0)
    pairs = (
        [mmd_maps.target(name, ROWS, rng).numpy() for _ in range(2)] for _ in range(FLOOR_DRAWS)
    )
    return statistics.fmean(sliced_wasserstein(x, y).value for x, y in pairs)


def cells(target: str, points: NDArray[Any]) -> NDArray[np.int64]:
    """Points in each cell of equal probability; the cells of the square are on [−1, 1]²."""
    return POINTS[target].cells(2 * points - 1 if target == "square" else points, CELLS).counts


def main() -> None:
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    for name in ("f1", "f2"):
        target = mmd_maps.MAPS[name].target
        figures[f"{target} itself"] = over_seeds([itself(name, seed) for seed in SEEDS])
    for variant in ("mended", "paper"):
        for name in mmd_maps.MAPS:
            key = f"{name} {variant}"
            figures[key] = over_seeds([trained(name, variant, seed) for seed in SEEDS])
            if variant == "paper":
                figures[key]["table"] = dict(zip(("epoch", "test"), TABLE[name], strict=True))
            print(key, figures[key], flush=True)
    write_result("maps", figures, seeds={"run": list(SEEDS)})


if __name__ == "__main__":
    main()
