"""Autoencoders of a cube's surface: codes, priors and samples.

    python benchmarks/autoencoders.py

- ae-f2 with 6 latents, five seeds: squared error as a share of the data's variance, with noise set
  to 15 dB below what the latents' variances are measured to be, beside the best linear code; and
  the grid of SNR and latents as a figure.
- The information rate of those latents, beside the closed form, at five SNRs.
- ae-f4 with both priors, five seeds: reconstruction, its discrepancy at the end, and the divergence
  of decoded draws from the data (nearest neighbours, 2,000 rows), beside the paper's.
- What decoded draws of the prior are, of ae-f3, ae-f4, ae-f5, ae-beta and ae-sliced, five seeds:
  mean distance to the surface, χ²/df of 20,000 in 384 cells of equal area, energy distance and
  sliced W₁ of 2,000, means over 40 draws, beside those of a hundred pairs of draws of the data, all
  by the same generator.
"""

from __future__ import annotations

import statistics
import time
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from common import over_seeds, write_result

from dlcc import metrics
from dlcc.recipes import get_recipe
from dlcc.recipes.autoencoders.cube_autoencoders import CubeAutoencoder
from dlcc.recipes.data.points import POINTS
from dlcc.recipes.latents import Latents
from dlcc.recipes.optimised import seeded

SEEDS = range(5)
GRID_SEEDS = range(2)
SNRS, LATENTS = (5.0, 10.0, 15.0, 20.0), (2, 3, 6, 12)
RATE_SNRS = (0.0, 5.0, 10.0, 15.0, 20.0)
VARIANCE = 5 / 9  # of a coordinate on the surface
ROWS, DRAWS, FLOOR_DRAWS, POINTS_IN_ALL, CELLS = 2_000, 40, 100, 20_000, 8
PAPER = {"reconstruction": 0.0126, "mmd": 0.0408, "divergence": 2.983}  # first if its data fill it
FIGURE = Path(__file__).parent / "results" / "autoencoders.png"


def trained(recipe: str, settings: dict[str, Any]) -> tuple[CubeAutoencoder, dict[str, float]]:
    """A recipe trained without recording; the medians of its last hundred rows."""
    chosen = get_recipe(recipe)
    training = chosen.module.build(chosen.configure(settings))
    rows = [training.step(step) for step in range(training.length)]
    last = {key: statistics.median(row[key] for row in rows[-100:]) for key in rows[0]}
    return training, {key.partition("/")[2]: value for key, value in last.items()}


@torch.no_grad()
def code(training: CubeAutoencoder) -> dict[str, float]:
    """What a noisy code of fresh points loses, at exactly its SNR, and carries."""
    snr = training.config.snr
    x = torch.from_numpy(surface(10_000, training.config.seed))
    with seeded(training.config.seed, 11):
        mean, log_variance = training.encode(x)
        exact = (mean.var(dim=0) * 10 ** (-snr / 10)).log()
        made = training.model.decoder(Latents(mean, exact).noisy())
    rate = metrics.measured_information_rate(mean.numpy(), np.exp(log_variance.numpy()))
    return {
        "share_of_variance": float((made - x).square().mean()) / VARIANCE,
        "snr_db": rate.snr_db,
        "bits_a_latent": rate.mean.value,
    }


@torch.no_grad()
def reconstruction(training: CubeAutoencoder) -> float:
    """Squared error of reconstructions from noisy latents, as a share of the variance."""
    x = torch.from_numpy(surface(10_000, training.config.seed))
    with seeded(training.config.seed, 12):
        made = training.model.decoder(training.encode(x).noisy())
    return float((made - x).square().mean()) / VARIANCE


def generation(training: CubeAutoencoder) -> dict[str, float]:
    """What decoded draws of the prior are."""
    placed = POINTS["cube_surface"].cells(training.sample(POINTS_IN_ALL, DRAWS).numpy(), CELLS)
    energy, slices, (energy_floor, slices_floor) = [], [], floors()
    for draw in range(DRAWS):
        made = training.sample(ROWS, draw).numpy()
        data = surface(ROWS, training.config.seed, draw)
        energy.append(metrics.energy_distance(made, data).value)
        slices.append(metrics.sliced_wasserstein(made, data).value)
    above = statistics.fmean(energy) - statistics.fmean(energy_floor)
    return {
        "distance": float(placed.distance.mean()),
        "chi2_over_df": metrics.chi_squared(placed.counts).over_df.value,
        "energy": statistics.fmean(energy),
        "energy_in_sd_of_floor": above / statistics.stdev(energy_floor),
        "sw1_over_floor": statistics.fmean(slices) / statistics.fmean(slices_floor),
    } | divergence(made, data)


@cache
def floors() -> tuple[list[float], list[float]]:
    """Energy distances and sliced W₁ between draws of the data."""
    pairs = [(surface(ROWS, 500, k, 0), surface(ROWS, 500, k, 1)) for k in range(FLOOR_DRAWS)]
    return (
        [metrics.energy_distance(one, other).value for one, other in pairs],
        [metrics.sliced_wasserstein(one, other).value for one, other in pairs],
    )


def divergence(made: Any, data: Any) -> dict[str, float]:
    """Of samples from data, by nearest neighbours; nothing where samples are one point, of which it
    is infinite."""
    try:
        return {"divergence": metrics.kl_divergence(made, data).value}
    except ValueError:
        return {}


def surface(n: int, *seed: int) -> Any:
    """Points of the surface, [n, 3]."""
    return POINTS["cube_surface"].draw(n, np.random.default_rng([99, *seed]))


def linear_code(snr: float, latents: int) -> float:
    """Share of the variance that the best linear code of a white source in three dimensions loses:
    latents of variance 1 and noise at the SNR, shared equally by the coordinates (fewer than three
    latents leave coordinates out)."""
    if latents < 3:
        return (3 - latents + latents / (1 + 10 ** (snr / 10))) / 3
    return 1 / (1 + latents / 3 * 10 ** (snr / 10))


def codes() -> dict[str, Any]:
    """ae-f2 with 6 latents at 15 dB, and at five SNRs beside the closed form."""
    runs = [code(trained("ae-f2", {"seed": seed})[0]) for seed in SEEDS]
    rates = {}
    for snr in RATE_SNRS:
        found = code(trained("ae-f2", {"snr": snr, "seed": 0})[0])
        rates[f"{snr:g}"] = {
            "measured": found["bits_a_latent"],
            "closed_form": metrics.information_rate(snr),
        }
    return {
        "f2": over_seeds(runs) | {"linear_code": linear_code(15.0, 6), "paper": 0.0156},
        "information_rate": rates,
    }


def grid() -> dict[str, Any]:
    """ae-f2 at each SNR and number of latents."""
    found: dict[str, Any] = {}
    for snr in SNRS:
        for latents in LATENTS:
            settings = {"snr": snr, "latents": latents}
            runs = [code(trained("ae-f2", settings | {"seed": s})[0]) for s in GRID_SEEDS]
            found[f"{snr:g} dB, {latents}"] = {
                "share_of_variance": statistics.fmean(run["share_of_variance"] for run in runs),
                "linear_code": linear_code(snr, latents),
            }
    return found


def generators() -> dict[str, Any]:
    """Samples of each autoencoder with a prior."""
    named: dict[str, tuple[str, dict[str, Any]]] = {
        "ae-f3": ("ae-f3", {}),
        "ae-f4": ("ae-f4", {}),
        "ae-f4 fitted": ("ae-f4", {"prior": "fitted"}),
        "ae-f5": ("ae-f5", {}),
        "ae-beta": ("ae-beta", {}),
        "ae-sliced": ("ae-sliced", {}),
    }
    found: dict[str, Any] = {}
    for name, (recipe, settings) in named.items():
        runs = []
        for seed in SEEDS:
            start = time.process_time()
            training, last = trained(recipe, settings | {"seed": seed})
            figures = {"cpu_seconds": time.process_time() - start}
            figures |= {"reconstruction": reconstruction(training)} | generation(training)
            runs.append(figures | ({"mmd": last["mmd"]} if "mmd" in last else {}))
        found[name] = over_seeds(runs)
        print(name, found[name], flush=True)
    return found | {"paper's f4": PAPER}


def draw(grid: dict[str, Any]) -> None:
    """The grid: loss over SNR, a line for each number of latents."""
    fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
    for latents in LATENTS:
        cells = [grid[f"{snr:g} dB, {latents}"] for snr in SNRS]
        (line,) = ax.semilogy(SNRS, [c["share_of_variance"] for c in cells], "o-")
        line.set_label(f"{latents} latents")
        ax.semilogy(SNRS, [c["linear_code"] for c in cells], ":", color=line.get_color())
    ax.set(xlabel="signal over noise, dB", ylabel="error / variance of the data", xticks=SNRS)
    ax.set_title("ae-f2 on a cube's surface (dotted: the best linear code)")
    ax.legend()
    fig.savefig(FIGURE, dpi=110)


def main() -> None:
    torch.set_num_threads(1)
    figures = codes()
    print(figures, flush=True)
    figures["grid"] = grid()
    print(figures["grid"], flush=True)
    draw(figures["grid"])
    figures["generation"] = generators()
    write_result("autoencoders", figures, seeds={"run": list(SEEDS), "grid": list(GRID_SEEDS)})


if __name__ == "__main__":
    main()
