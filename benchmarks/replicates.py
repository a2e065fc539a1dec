"""Whether the 90 % intervals of P(healthy) hold, on settings that were trained many times.

    python benchmarks/replicates.py --work /tmp/replicates

A single run ends healthy or not: whether an interval of its P is right shows only where the setting
is trained again and again. SETTINGS settings that no library run has are each trained with SEEDS
seeds and judged by the truth. From each run, cut at 20 % and at 50 % of its length, the forecast
gives P with its interval. It holds where the share of healthy ones among the setting's other runs
lies in it; a share of 23 runs is known to half a run. The interval of the figure is from settings
drawn with replacement. Beside it, how often the 90 % interval of stability holds the run's own, and
the coverage in eighths of rising P. Groups trained are kept in --work. The scatter that intervals
are made with was chosen on other settings, with --seed 912.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result

from dlcc.forecast.forecaster import Forecaster, Prediction
from dlcc.health.curves import run_vector
from dlcc.past_runs.build.part_files import read_part, write_part
from dlcc.past_runs.build.past_run import PastRun
from dlcc.past_runs.build.settings import draw_group
from dlcc.past_runs.build.simulation import simulate
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.store import FRACTIONS, Library

SEED = 911
SETTINGS, GROUP, SEEDS = 40, 5, 24
SEEN, LEVEL = (0.2, 0.5), 0.9


def replicated(work: Path, seed: int) -> list[list[PastRun]]:
    """Settings, each as its runs."""
    found = []
    for number in range(SETTINGS // GROUP):
        file = work / f"replicates-{seed}-{number:02d}.npz"
        if not file.exists():
            rng = np.random.default_rng([seed, number])
            configs = [
                {**setting, "seed": int(rng.integers(2**31))}
                for setting in draw_group(seed, number, GROUP)
                for _ in range(SEEDS)
            ]
            write_part(file, simulate(configs))
        runs = read_part(file)
        found += [runs[k : k + SEEDS] for k in range(0, len(runs), SEEDS)]
        print(f"\r{len(found)} of {SETTINGS} settings", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def forecasts(runs: list[PastRun], seen: float, past: Library) -> list[Prediction]:
    """What is expected of each run after the share `seen`."""
    fraction = FRACTIONS.index(seen)
    forecaster = Forecaster.fit(past, seen, series_only=False)
    raw = []
    for run in runs:
        curves = run.curves(fraction)
        raw.append(forecaster.space.raw_of(run_vector(curves, past.good(curves)), run.config))
    return forecaster.many(np.array(raw))


def coverage(settings: list[list[PastRun]], seen: float, past: Library) -> Mapping[str, Any]:
    """How often the intervals hold what the other seeds show."""
    runs = [run for setting in settings for run in setting]
    prospects = forecasts(runs, seen, past)
    which = np.repeat(np.arange(len(settings)), SEEDS)
    healthy = np.array([run.label == "healthy" for run in runs])
    stability = np.array([run.stability for run in runs])
    p = np.array([[f.p_healthy.mean, *f.p_healthy.interval(LEVEL)] for f in prospects])
    own = np.array([f.stability.interval(LEVEL) for f in prospects])
    others = (np.bincount(which, healthy)[which] - healthy) / (SEEDS - 1)
    half = 0.5 / (SEEDS - 1)
    held = (p[:, 1] - half <= others) & (others <= p[:, 2] + half)
    by_setting = np.bincount(which, held) / SEEDS
    rng = np.random.default_rng(0)
    drawn = by_setting[rng.integers(len(settings), size=(2000, len(settings)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.05, 0.95])
    mixed = (others > 0) & (others < 1)
    return {
        "p_holds_share_healthy": {"mean": float(held.mean()), "low": low, "high": high},
        "where_seeds_disagree": float(held[mixed].mean()),
        "runs_where_seeds_disagree": int(mixed.sum()),
        "stability_holds_the_run_s_own": float(
            np.mean((own[:, 0] <= stability) & (stability <= own[:, 1]))
        ),
        "mean_width_of_p": float((p[:, 2] - p[:, 1]).mean()),
        "eighths_by_p": [
            {
                "p": round(float(p[b, 0].mean()), 3),
                "healthy": round(float(healthy[b].mean()), 3),
                "held": round(float(held[b].mean()), 3),
            }
            for b in np.array_split(np.argsort(p[:, 0], kind="stable"), 8)
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seed", type=int, default=SEED, help="of the settings")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.work.mkdir(parents=True, exist_ok=True)
    settings = replicated(arguments.work, arguments.seed)
    past = shipped_library()
    figures = {f"at_{seen:.0%}": coverage(settings, seen, past) for seen in SEEN}
    write_result(
        "replicates",
        {"settings": len(settings), "seeds_each": SEEDS, **figures},
        seeds={"settings": arguments.seed},
    )


if __name__ == "__main__":
    main()
