"""Figures of `akde_bo.py`: paired ratios with intervals, the study's claims answered, a chart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

Run = Mapping[str, Any]
Runs = Mapping[str, Sequence[Run]]
BASELINE = "baseline"
CONFIDENCE = 0.9
CLAIMED = {"mnist": (0.82, 95 / 150), "cifar10": (0.80, 160 / 250)}
"""The study's ratios of distance and of iterations to the target, of its method to its baseline."""


def geometric(values: Sequence[float]) -> dict[str, Any]:
    """Geometric mean of ratios with a t-interval of their logarithms, 90 %; none of one run."""
    logs = np.log(np.maximum(np.array(values, dtype=float), 1e-12))
    n = len(logs)
    half = math.inf
    if n > 1:
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * logs.std(ddof=1) / math.sqrt(n))
    mean = float(logs.mean())
    low, high = (math.exp(mean + side * half) if half < 50 else None for side in (-1, 1))
    return {"mean": math.exp(mean), "low": low, "high": high, "of": n}


def paired(
    runs: Runs, arm: str, other: str, figure: Callable[[Run], float]
) -> dict[str, Any] | None:
    """Ratio of a figure of an arm to that of another, over the seeds that both have."""
    theirs = {run["seed"]: figure(run) for run in runs.get(other, ())}
    ratios = [
        figure(run) / max(theirs[run["seed"]], 1e-12)
        for run in runs.get(arm, ())
        if run["seed"] in theirs
    ]
    return geometric(ratios) if ratios else None


def end_of(curve: str) -> Callable[[Run], float]:
    """Figure: the last value of a curve."""
    return lambda run: float(run[curve][-1])


def noise_of(player: str, relative: bool) -> Callable[[Run], float]:
    """Figure: geometric mean over the run of the trace of the gradients' covariance."""
    return lambda run: math.exp(
        float(np.mean([math.log(max(row[player][relative], 1e-12)) for row in run["noise"]]))
    )


def reached(runs: Runs, arm: str, curve: str) -> dict[str, Any]:
    """Iterations until the baseline's best, as a share of the baseline's own."""
    base = {run["seed"]: run for run in runs[BASELINE]}
    shares, missed = [], 0
    for run in runs[arm]:
        theirs = base.get(run["seed"])
        if theirs is None:
            continue
        best = min(theirs["raw"])
        own = theirs["steps"][theirs["raw"].index(best)]
        step = next((s for s, v in zip(run["steps"], run[curve], strict=True) if v <= best), None)
        missed += step is None
        if step is not None:
            shares.append(step / own)
    return {
        "reached": len(shares),
        "not_reached": missed,
        "share_of_iterations": geometric(shares) if shares else None,
    }


def late_slope(run: Run) -> float:
    """Slope of the logarithm of the distance over the last quarter, per 100 steps."""
    steps, values = np.array(run["steps"]), np.log(np.array(run["average"]))
    late = steps >= 0.75 * steps[-1]
    return float(np.polyfit(steps[late] / 100, values[late], 1)[0])


def table(runs: Runs) -> dict[str, Any]:
    """Figures of each arm, and its ratios to the baseline."""
    found = {}
    for arm, own in runs.items():
        if not own:
            continue
        found[arm] = {
            "runs": len(own),
            "distance_average": geometric([run["average"][-1] for run in own]),
            "distance_raw": geometric([run["raw"][-1] for run in own]),
            "average_to_baselines": paired(runs, arm, BASELINE, end_of("average")),
            "raw_to_baselines": paired(runs, arm, BASELINE, end_of("raw")),
            "average_to_fixed": paired(runs, arm, "fixed", end_of("average")),
            "coverage": float(np.mean([run["coverage"][-1] for run in own])) or None,
            "worst_average": max(run["average"][-1] for run in own),
            "gradient_variance": {
                player: {
                    "absolute": paired(runs, arm, BASELINE, noise_of(player, False)),
                    "relative": paired(runs, arm, BASELINE, noise_of(player, True)),
                }
                for player in ("discriminator", "generator")
            },
            "to_baselines_best": {c: reached(runs, arm, c) for c in ("raw", "average")},
            "late_slope_per_100": float(np.mean([late_slope(run) for run in own])),
            "milliseconds": float(np.median([run["milliseconds"] for run in own])),
        }
    return found


def answer(ratio: Mapping[str, Any] | None, claimed: float) -> str:
    """Answer the claim that a ratio is below 1 and as low as claimed, by its interval."""
    if ratio is None or ratio["low"] is None:
        return "not decided"
    if ratio["low"] > claimed:
        return "no: smaller than claimed" if ratio["high"] < 1 else "no"
    return "yes" if ratio["high"] < 1 else "not decided"


def claims(found: Mapping[str, Any], data: str) -> dict[str, Any]:
    """The study's claims, answered for each mode that begins where the baseline does."""
    distance, iterations = CLAIMED.get(data, CLAIMED["mnist"])
    answers = {}
    for arm in ("literal", "flipped", "reweight", "sculpt"):
        if arm not in found:
            continue
        own = found[arm]
        variance = own["gradient_variance"]
        best = own["to_baselines_best"]["raw"]
        when = best["share_of_iterations"]
        answers[arm] = {
            f"distance {1 - distance:.0%} lower": answer(own["raw_to_baselines"], distance),
            "less gradient variance, discriminator": answer(
                variance["discriminator"]["absolute"], 0.45 / 0.81
            ),
            "less gradient variance, generator": answer(
                variance["generator"]["absolute"], 0.45 / 0.81
            ),
            "less of it relative to the squared mean, discriminator": answer(
                variance["discriminator"]["relative"], 1.0
            ),
            f"baseline's best in {iterations:.0%} of the iterations": (
                f"no: {best['not_reached']} of {best['not_reached'] + best['reached']} never "
                "reach it"
                if best["not_reached"]
                else answer(when, iterations)
            ),
        }
    return answers


def rescue(runs: Runs, starts: Sequence[str], rescuers: Sequence[str]) -> dict[str, Any]:
    """How far each rescuer brings each bad start, and beside the random walk."""
    fixed = geometric([run["average"][-1] for run in runs["bare-fixed"]])["mean"]
    found: dict[str, Any] = {
        "bare-fixed": geometric([run["average"][-1] for run in runs["bare-fixed"]]),
        "bare-baseline": geometric([run["average"][-1] for run in runs["bare-baseline"]]),
    }
    for start in starts:
        for rescuer in ("left", *rescuers):
            arm = f"{start}-{rescuer}"
            own = runs.get(arm, ())
            if not own:
                continue
            ends = [run["average"][-1] for run in own]
            found[arm] = {
                "distance": geometric(ends),
                "worst": max(ends),
                "within_twice_fixed": sum(end <= 2 * fixed for end in ends),
                "within_thrice_fixed": sum(end <= 3 * fixed for end in ends),
                "to_left_alone": paired(runs, arm, f"{start}-left", end_of("average")),
                "to_random_walk": paired(runs, arm, f"{start}-random-walk", end_of("average")),
                "to_prior": paired(runs, arm, f"{start}-prior", end_of("average")),
            }
    return found


def draw(runs: Runs, arms: Sequence[str], path: Path, title: str) -> None:
    """Draw distance over iterations with bands, geometric mean and 90 %, as SVG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    plt.rcParams["svg.hashsalt"] = "dlcc"
    figure, axes = plt.subplots(figsize=(7, 4))
    styles = ["-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1))]
    for arm, style in zip(arms, styles, strict=False):
        if not runs.get(arm):
            continue
        logs = np.log(np.array([run["average"] for run in runs[arm]]))
        steps, middle = runs[arm][0]["steps"], logs.mean(axis=0)
        axes.plot(steps, np.exp(middle), linestyle=style, label=arm)
        if len(logs) > 1:
            t = stats.t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1)
            half = t * logs.std(axis=0, ddof=1) / math.sqrt(len(logs))
            axes.fill_between(steps, np.exp(middle - half), np.exp(middle + half), alpha=0.15)
    axes.set_yscale("log")
    axes.set_xlabel("iterations")
    axes.set_ylabel("Fréchet distance, averaged generator")
    axes.set_title(title)
    axes.legend(fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
