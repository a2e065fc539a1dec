"""What reruns cost beside a loop of trainings, and whether their Δ holds.

    python benchmarks/reruns.py

Cost: CPU time of `dlcc rerun --n 200` on the ring example against the same plan trained one run
after the other by the recipe's own code, sampled and judged alike; LOOPED of its runs are trained
and counted up. The loop without judging is given beside it.

Δ: for SETTINGS settings that no library run has, Δ with its 90 % interval from the plan that
`dlcc evaluate` makes (20 reruns, half of them with other seeds), and the deviation of FRESH further
reruns of the same setting. The smallest and the largest settings' figures are kept too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result

from dlcc.estimate import Estimate
from dlcc.past_runs.build.settings import draw_group
from dlcc.past_runs.build.simulation import reference_of
from dlcc.past_runs.in_use import shipped_library
from dlcc.recipes.small_gan import training as small_gan
from dlcc.records import Series
from dlcc.reruns.deviation import reproducibility
from dlcc.reruns.outcome import Judge, Recorded, steps_to_sample
from dlcc.reruns.plan import Rerun, plan_reruns
from dlcc.reruns.programs import EnsembleProgram
from dlcc.reruns.sandbox_program import SAMPLES
from dlcc.runs import Run
from dlcc.stage import Deadline

RING = Path(__file__).parent.parent / "runs" / "ring-oscillating"
RERUNS, LOOPED, REPETITIONS = 200, 10, 3
SEED, GROUP, SETTINGS = 907, 5, 40
FRESH, LEVEL, LARGEST_SD = 60, 0.9, 0.5
Setting = Mapping[str, Any]


def trained(plan: Sequence[Rerun]) -> list[Recorded]:
    """A plan of one data set as an ensemble."""
    config = plan[0].config
    program = EnsembleProgram(reference_of(str(config["data"])))
    return program.run(plan, int(config["steps"]), Deadline(1e6), lambda share, what: None)


def stabilities(plan: Sequence[Rerun], judge: Judge) -> np.ndarray[Any, np.dtype[np.float64]]:
    length = int(plan[0].config["steps"])
    return np.array([judge(recorded, length).stability for recorded in trained(plan)])


# --- cost -----------------------------------------------------------------------------------------


def alone(rerun: Rerun) -> Recorded:
    """One run of a plan by the recipe's own code, sampled as reruns are."""
    training = small_gan.build(rerun.config)
    rows: dict[str, list[float]] = {}
    samples, wanted = [], set(steps_to_sample(int(rerun.config["steps"])))
    for step in range(int(rerun.config["steps"])):
        for name, value in training.step(step).items():
            rows.setdefault(name, []).append(value)
        if step + 1 in wanted:
            drawn = training.sample(SAMPLES, step + 1)
            samples.append(np.asarray(drawn, dtype=np.float64))
    return Recorded(
        Series.from_start({name: np.array(values) for name, values in rows.items()}), samples
    )


def cost() -> dict[str, Any]:
    """CPU seconds of 200 reruns together and of the loop, alternating."""
    config = Run.open(RING).manifest.config
    judge = Judge(shipped_library(), reference_of("ring"))
    length = int(config["steps"])
    found: dict[str, list[float]] = {"together": [], "loop": [], "loop_not_judged": []}
    for repetition in range(REPETITIONS):
        plan = plan_reruns(config, RERUNS, np.random.default_rng(repetition))
        start = time.process_time()
        stabilities(plan, judge)
        found["together"].append(time.process_time() - start)
        start = time.process_time()
        records = [alone(rerun) for rerun in plan[:: RERUNS // LOOPED]]
        taken = time.process_time() - start
        found["loop_not_judged"].append(taken * RERUNS / LOOPED)
        for recorded in records:
            judge(recorded, length)
        found["loop"].append((time.process_time() - start) * RERUNS / LOOPED)
    together = np.array(found["together"])
    return {
        "cpu_seconds": found,
        "loop_over_together": _spread(np.array(found["loop"]) / together),
        "loop_not_judged_over_together": _spread(np.array(found["loop_not_judged"]) / together),
    }


def _spread(values: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, float]:
    return {
        "median": float(np.median(values)),
        "low": float(values.min()),
        "high": float(values.max()),
    }


# --- Δ --------------------------------------------------------------------------------------------


def settings() -> list[Setting]:
    """Settings of all data sets, shapes and regions."""
    return [s for k in range(SETTINGS // GROUP) for s in draw_group(SEED, k, GROUP)]


def deviation(config: Setting, number: int) -> tuple[Estimate, float]:
    """Δ as an evaluation gives it, and that of fresh reruns."""
    rng = np.random.default_rng([SEED, number])
    judge = Judge(shipped_library(), reference_of(str(config["data"])))
    own = [r for r in plan_reruns(config, 20, rng) if r.kind == "seed"]
    seeds = rng.choice(2**31, size=FRESH, replace=False)
    fresh = [Rerun("seed", {**config, "seed": int(seed)}) for seed in seeds]
    ends = stabilities([*own, *fresh], judge)
    spread = float(ends[len(own) :].std(ddof=1))
    return reproducibility(ends[: len(own)], rng), max(0.0, 1 - spread / LARGEST_SD)


def coverage() -> dict[str, Any]:
    """How many of the intervals hold the fresh reruns' Δ."""
    rows = []
    for number, config in enumerate(settings()):
        estimate, truth = deviation(config, number)
        rows.append([estimate.mean, *estimate.interval(LEVEL), truth])
        print(f"\r{number + 1} of {SETTINGS} settings", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return of_coverage(np.array(rows))


def of_coverage(table: np.ndarray[Any, np.dtype[np.float64]]) -> dict[str, Any]:
    """From rows of mean, low, high and the fresh reruns' Δ; shown: with the two digits that a
    report shows."""
    held, shown = (
        (rows[:, 1] <= rows[:, 3]) & (rows[:, 3] <= rows[:, 2])
        for rows in (table, np.round(table, 2))
    )
    certain = table[:, 3] > 0.98
    return {
        "settings": len(table),
        "held": float(held.mean()),
        "held_as_shown": float(shown.mean()),
        "held_where_seeds_matter": float(held[~certain].mean()),
        "settings_where_seeds_matter": int((~certain).sum()),
        "mean_width": float((table[:, 2] - table[:, 1]).mean()),
        "mean_error": float((table[:, 0] - table[:, 3]).mean()),
        "rows": np.round(table, 6).tolist(),
    }


def main() -> None:
    torch.set_num_threads(1)
    write_result(
        "reruns",
        {"delta": coverage(), "cost": cost()},
        seeds={"settings": SEED, "plans": [0, 1, 2]},
    )


if __name__ == "__main__":
    main()
