"""Surrogates and acquisition functions of AKDE-BO on a recorded response surface: regret and cost.

    python benchmarks/akde_bo_search.py [--starts 10] [--cache FILE] [--no-write]

The surface is what `sculpt` climbs: the quality of samples against training rows after 150 steps of
a narrow `akde-dcgan` without batch normalisation in its rival, on a grid of 6 strengths of the
penalty by 6 learning rates, one seed. A search of 20 windows then runs on the surface, linear
between grid points, with noise of .15 decades a window, from starts that are drawn; nothing is
assumed beforehand, so that the prior does not decide. Regret is the surface's best less its value
where the search ends. Writes benchmarks/results/akde_bo_search.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result
from scipy.interpolate import RegularGridInterpolator

from dlcc.control.akde_bo.attach import attach
from dlcc.control.akde_bo.quality import SampleQuality
from dlcc.control.akde_bo.search import Search
from dlcc.control.akde_bo.trust_region import TrustRegion
from dlcc.recipes.image_gans import akde_dcgan
from dlcc.typing import Floats

PENALTIES = np.linspace(-3.0, 2.0, 6)
RATES = np.linspace(-4.7, -1.2, 6)
STEPS, WIDTH, SEED, WINDOWS, NOISE = 150, 8, 77, 20, 0.15
SEARCHES = [(s, a) for s in ("gp", "forest", "mlp") for a in ("ucb", "ei")] + [
    ("random-walk", "ucb")
]


def record_surface() -> list[list[float]]:
    """Train one GAN a grid point: quality [strengths, rates]."""
    torch.set_num_threads(1)
    return [[quality_at(10**gamma, 10**rate) for rate in RATES] for gamma in PENALTIES]


def quality_at(penalty: float, rate: float) -> float:
    """Quality after some steps at one setting."""
    settings = {"norm": "none", "width": WIDTH, "lr": rate, "seed": SEED, "ema": 0.999}
    training = akde_dcgan.build(settings)
    attach(training, penalty=penalty, every=10 * STEPS)
    for step in range(STEPS):
        training.step(step)
    quality = SampleQuality()
    quality.see(real=training.images[:384])
    return quality.of(training.sample(256, 0))


def search_once(
    surface: RegularGridInterpolator, start: Floats, surrogate: str, acquisition: str, seed: int
) -> tuple[float, float]:
    """Search the surface: value where it ends, and seconds of the search itself."""
    low, high = np.array([PENALTIES[0], RATES[0]]), np.array([PENALTIES[-1], RATES[-1]])
    region = TrustRegion(start, low, high)
    search = Search(region, surrogate=surrogate, acquisition=acquisition, seed=seed)
    rng, spent = np.random.default_rng([seed, 1]), 0.0
    for _ in range(WINDOWS):
        begun = time.process_time()
        point = search.ask()
        spent += time.process_time() - begun
        value = float(surface(point)[0]) + NOISE * rng.standard_normal()
        begun = time.process_time()
        search.tell(point, value)
        spent += time.process_time() - begun
    return float(surface(search.best())[0]), spent


def main() -> None:
    """Record the surface, search it, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=10)
    parser.add_argument("--cache", type=Path, help="file for the surface")
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    path = arguments.cache
    grid = json.loads(path.read_text()) if path and path.exists() else record_surface()
    if path:
        path.write_text(json.dumps(grid))
    values = np.array(grid)
    surface = RegularGridInterpolator((PENALTIES, RATES), values)
    rng = np.random.default_rng(SEED)
    low, high = [PENALTIES[0], RATES[0]], [PENALTIES[-1], RATES[-1]]
    starts = rng.uniform(low, high, (arguments.starts, 2))
    figures: dict[str, Any] = {
        "surface": values.round(2).tolist(),
        "best": float(values.max()),
        "mean_regret_of_starts": float(values.max() - surface(starts).mean()),
    }
    for surrogate, acquisition in SEARCHES:
        ends = [
            search_once(surface, start, surrogate, acquisition, k) for k, start in enumerate(starts)
        ]
        regret = values.max() - np.array([value for value, _ in ends])
        draws = rng.integers(len(regret), size=(2000, len(regret)))
        bounds = np.quantile(regret[draws].mean(axis=1), [0.05, 0.95])
        figures[f"{surrogate} {acquisition}"] = {
            "regret_decades": float(regret.mean()),
            "low": float(bounds[0]),
            "high": float(bounds[1]),
            "worst": float(regret.max()),
            "milliseconds_a_window": float(1e3 * np.mean([spent for _, spent in ends]) / WINDOWS),
        }
    if arguments.no_write:
        print(json.dumps(figures, indent=1))
        return
    write_result("akde_bo_search", figures, seeds={"surface": SEED, "starts": arguments.starts})


if __name__ == "__main__":
    main()
