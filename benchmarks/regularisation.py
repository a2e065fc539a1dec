"""What L1, L2 and dropout do to the weights of a map and to what it makes, five seeds each.

    python benchmarks/regularisation.py

The map f1 mended, over 2,400 steps in the place of its 4,000 (once over all of them), and as the
paper trains it, with L1, L2 or neither in the place of its own penalty. Of each layer the share of
weights under .001 and their excess kurtosis; of the map what `maps.py` measures, over 20 draws.
Drawn in results/regularisation.png.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, over_seeds, write_result
from maps import judged
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import kurtosis

from dlcc.recipes.maps import regularised_map

SEEDS, DRAWS, SMALL = range(5), 20, 1e-3
MENDED = {"epochs": 1200}
STRENGTHS = {"l1": (1e-5, 1e-4, 1e-3, 1e-2), "l2": (1e-5, 1e-3, 1e-2, 1e-1)}
SETTINGS: dict[str, dict[str, Any]] = {
    "none": MENDED,
    **{
        f"{kind} {strength:g}": {**MENDED, "regulariser": kind, "strength": strength}
        for kind, strengths in STRENGTHS.items()
        for strength in strengths
    },
    **{f"dropout {share:g}": {**MENDED, "dropout": share} for share in (0.1, 0.3)},
    "l1 1e-05, 4,000 steps": {"regulariser": "l1", "strength": 1e-5},
    "paper, none": {"variant": "paper"},
    "paper, l1 0.01": {"variant": "paper", "regulariser": "l1", "strength": 0.01},
    "paper, l2 0.01": {"variant": "paper", "regulariser": "l2", "strength": 0.01},
}
LAYERS = ("first", "middle", "last")
DRAWN = {"none": "#999", "l1 1e-05": "#0b6e99", "l2 1e-05": "#c1440e", "dropout 0.1": "#5b8c2a"}
COLOURS = {"l1": "#0b6e99", "l2": "#c1440e"}

Weights = list[NDArray[np.float32]]
"""Of each layer, flat."""


def trained(settings: Mapping[str, Any], seed: int) -> tuple[dict[str, float], Weights]:
    """The figures of a map, and its weights."""
    training = regularised_map.build({**settings, "seed": seed})
    start = time.process_time()
    for step in range(training.length):
        training.step(step)
    found = {"cpu_seconds": time.process_time() - start}
    weights = [
        layer.detach().flatten().numpy() for layer in regularised_map.weights(training.generator)
    ]
    for name, layer in zip(LAYERS, weights, strict=True):
        found[f"small_{name}"] = float((np.abs(layer) < SMALL).mean())
        found[f"kurtosis_{name}"] = float(kurtosis(layer.astype(np.float64)))
    made = judged("f1", seed, lambda n, draw: training.sample(n, draw).numpy(), DRAWS)
    return found | made, weights


def draw(figures: Mapping[str, Any], weights: Mapping[str, Weights], path: Path) -> None:
    """Above the weights of each layer, below sparsity and quality over strength."""
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    axes = figure.subplots(2, 3)
    for layer, (name, above) in enumerate(zip(LAYERS, axes[0], strict=True)):
        draw_weights(above, {setting: weights[setting][layer] for setting in DRAWN})
        above.set(xlabel=f"weights of the {name} layer", ylabel="density")
    axes[0, 0].legend(frameon=False, fontsize=8)
    shown = {
        "small_middle": "share of middle weights under .001",
        "sw1_over_floor": "sliced W₁ over its floor",
        "chi2_over_df": "χ² / df of 400 cells",
    }
    for below, (key, label) in zip(axes[1], shown.items(), strict=True):
        draw_strengths(below, figures, key)
        below.set(xlabel="strength", ylabel=label)
    axes[1, 0].legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def draw_weights(axes: Axes, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Densities of the weights of all seeds; the axis leaves out one in a hundred of those that
    nothing keeps small."""
    reach = float(np.quantile(np.abs(weights["none"]), 0.99))
    edges = np.linspace(-reach, reach, 82)
    for setting, values in weights.items():
        density = np.histogram(values, edges)[0] / len(values) / np.diff(edges)
        axes.stairs(density, edges, baseline=None, color=DRAWN[setting], label=setting)
    axes.set_yscale("log")


def draw_strengths(axes: Axes, figures: Mapping[str, Any], key: str) -> None:
    """Median and range of a figure over the strength of L1 and L2, and without them."""
    for kind, strengths in STRENGTHS.items():
        at = [figures[f"{kind} {strength:g}"][key] for strength in strengths]
        middle, low, high = (
            np.array([a[which] for a in at]) for which in ("median", "low", "high")
        )
        axes.errorbar(
            strengths, middle, [middle - low, high - middle], marker="o", capsize=2,
            color=COLOURS[kind], label=kind,
        )  # fmt: skip
    axes.axhline(figures["none"][key]["median"], color=DRAWN["none"], ls="--", label="none")
    axes.set_xscale("log")
    if key != "small_middle":
        axes.set_yscale("log")


def main() -> None:
    torch.set_num_threads(1)
    figures, weights = {}, {}
    for name, settings in SETTINGS.items():
        runs = [trained(settings, seed) for seed in SEEDS]
        figures[name] = over_seeds([found for found, _ in runs])
        weights[name] = [
            np.concatenate(layers) for layers in zip(*(w for _, w in runs), strict=True)
        ]
        print(name, figures[name], flush=True)
    draw(figures, weights, RESULTS / "regularisation.png")
    write_result("regularisation", figures, seeds={"run": list(SEEDS)})


if __name__ == "__main__":
    main()
