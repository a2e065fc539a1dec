"""Whether divergence and discrepancy together harm what an autoencoder generates.

    pip install optuna==5.0.0
    python benchmarks/kl_and_mmd.py

ae-f5 with 6 latents and its 150 epochs, five seeds: weights β of the divergence and λ of the
discrepancy on a grid that has 0; and three pairs annealed over the first half, each alone and
together. What is generated is judged by sliced W₁ of 2,000 decoded draws of the prior from the
data, over its floor, and by the mean distance to the surface. "λ added at β" is the ratio of the
first with λ to without, of the same β and seed; its interval is Student's of the logarithms over
seeds, 95 %, one by one: of 25 ratios one may err. The search (Optuna's TPE, one seed, judged anew
on five) has both weights and both annealings free, or one weight held at 0. An hour on a core.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import optuna
import torch
from common import over_seeds, write_result
from scipy import stats

from dlcc import metrics
from dlcc.recipes import get_recipe
from dlcc.recipes.data.points import POINTS

SEEDS = range(5)
EPOCHS, ROWS, DRAWS, TRIALS = 150, 2_000, 5, 15
BETAS, LAMBDAS = (0.0, 0.001, 0.01, 0.1, 1.0), (0.0, 1.0, 10.0)
ANNEALED = ((0.01, 1.0), (0.1, 1.0), (1.0, 1.0))
FIGURE = Path(__file__).parent / "results" / "kl-and-mmd.png"


def judged(seed: int, **weights: float) -> dict[str, float]:
    """Samples of a training with these weights: sliced W₁ over its floor, and distance to the
    surface."""
    recipe = get_recipe("ae-f5")
    training = recipe.module.build(recipe.configure({"epochs": EPOCHS, "seed": seed, **weights}))
    for step in range(training.length):
        training.step(step)
    slices, floors, surface = [], [], POINTS["cube_surface"]
    for draw in range(DRAWS):
        rng = np.random.default_rng([seed, draw])
        data, other = surface.draw(ROWS, rng), surface.draw(ROWS, rng)
        made = training.sample(ROWS, draw).numpy()
        slices.append(metrics.sliced_wasserstein(made, data).value)
        floors.append(metrics.sliced_wasserstein(other, data).value)
    return {
        "sw1_over_floor": statistics.fmean(slices) / statistics.fmean(floors),
        "distance": float(surface.cells(made, 8).distance.mean()),
    }


def judged_seeds(**weights: float) -> list[dict[str, float]]:
    """`judged` for each seed."""
    found = [judged(seed, **weights) for seed in SEEDS]
    print(weights, [round(run["sw1_over_floor"], 2) for run in found], flush=True)
    return found


def ratio(ones: Sequence[dict[str, float]], others: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Geometric mean over seeds of ones/others, its 95 % interval, and what it says."""
    pairs = zip(ones, others, strict=True)
    logs = np.log([one["sw1_over_floor"] / other["sw1_over_floor"] for one, other in pairs])
    mean, error = logs.mean(), logs.std(ddof=1) / math.sqrt(len(logs))
    reach = stats.t.ppf(0.975, len(logs) - 1) * error
    low, high = math.exp(mean - reach), math.exp(mean + reach)
    answer = "harms" if low > 1 else "helps" if high < 1 else "not decided"
    return {"ratio": math.exp(mean), "low": low, "high": high, "answer": answer}


def grid() -> tuple[dict[str, Any], dict[str, Any]]:
    """Every pair of weights; and what adding one to the other does."""
    runs = {
        (beta, weight): judged_seeds(beta=beta, mmd=weight)
        for beta, weight in itertools.product(BETAS, LAMBDAS)
    }
    added: dict[str, Any] = {}
    for beta, weight in itertools.product(BETAS[1:], LAMBDAS[1:]):
        both = runs[beta, weight]
        added[f"lambda {weight:g} added at beta {beta:g}"] = ratio(both, runs[beta, 0.0])
        added[f"beta {beta:g} added at lambda {weight:g}"] = ratio(both, runs[0.0, weight])
    return {f"{b:g}, {w:g}": over_seeds(found) for (b, w), found in runs.items()}, added


def annealed() -> dict[str, Any]:
    """Annealing each weight alone and both, against neither."""
    found = {}
    for beta, weight in ANNEALED:
        plain = judged_seeds(beta=beta, mmd=weight)
        for name, shares in {
            "beta": {"anneal_beta": 0.5},
            "lambda": {"anneal_mmd": 0.5},
            "both": {"anneal_beta": 0.5, "anneal_mmd": 0.5},
        }.items():
            runs = judged_seeds(beta=beta, mmd=weight, **shares)
            found[f"{name} annealed at {beta:g}, {weight:g}"] = ratio(runs, plain)
    return found


def searched() -> dict[str, Any]:
    """The best weights that a search finds with both terms and with one, each on five seeds."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    free = {
        "both": lambda t: _weight(t, "beta", 1e-4, 1) | _weight(t, "mmd", 1e-2, 10),
        "divergence alone": lambda t: {"mmd": 0.0} | _weight(t, "beta", 1e-4, 1),
        "discrepancy alone": lambda t: {"beta": 0.0} | _weight(t, "mmd", 1e-2, 10),
    }
    found: dict[str, Any] = {}
    runs = {}
    for name, chosen in free.items():
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
        study.optimize(lambda t, of=chosen: judged(100, **of(t))["sw1_over_floor"], TRIALS)
        best = chosen(optuna.trial.FixedTrial(study.best_params))
        runs[name] = judged_seeds(**best)
        found[name] = {"weights": best} | over_seeds(runs[name])
    for name in ("divergence alone", "discrepancy alone"):
        found[f"both over {name}"] = ratio(runs["both"], runs[name])
    return found


def _weight(trial: Any, key: str, low: float, high: float) -> dict[str, float]:
    return {
        key: trial.suggest_float(key, low, high, log=True),
        f"anneal_{key}": trial.suggest_categorical(f"anneal_{key}", [0.0, 0.5]),
    }


def draw(cells: dict[str, Any]) -> None:
    """Sliced W₁ over its floor for every pair of weights."""
    values = [[cells[f"{b:g}, {w:g}"]["sw1_over_floor"]["median"] for w in LAMBDAS] for b in BETAS]
    fig, ax = plt.subplots(figsize=(5.5, 4.5), layout="constrained")
    shown = ax.imshow(np.log10(values), cmap="viridis_r", aspect="auto")
    for (row, column), value in np.ndenumerate(np.array(values)):
        ax.text(column, row, f"{value:.2g}", ha="center", va="center", color="white")
    ax.set_xticks(range(len(LAMBDAS)), [f"{w:g}" for w in LAMBDAS])
    ax.set_yticks(range(len(BETAS)), [f"{b:g}" for b in BETAS])
    ax.set(xlabel="λ, weight of the discrepancy", ylabel="β, weight of the divergence")
    ax.set_title("sliced W₁ of samples over its floor, median of five seeds")
    fig.colorbar(shown, label="log10")
    fig.savefig(FIGURE, dpi=110)


def main() -> None:
    torch.set_num_threads(1)
    cells, added = grid()
    draw(cells)
    figures = {"grid": cells, "added": added, "annealing": annealed(), "search": searched()}
    write_result("kl_and_mmd", figures, seeds={"run": list(SEEDS), "search": [100]})


if __name__ == "__main__":
    main()
