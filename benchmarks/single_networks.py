"""Whether verdicts and forecasts hold for single networks: maps and autoencoders.

    python benchmarks/single_networks.py --work /tmp/replicates

The past runs of single networks, whose ends are known by their targets. Verdict: label and
P(healthy) of whole records by what is learnt from GANs, to which these runs are foreign. Forecast
of "healthy" at each fraction of the length from the other settings (five folds by setting) and from
the other data sets, with GANs beside them, as it is done, and without; and from GANs alone. AUROC
and Brier score beside that of the base rate; and how far the expected share of good sample steps in
the next quarter lies from what came, beside the mean of the runs that it was forecast from.

Intervals: settings drawn anew, each trained with several seeds in --work (twenty minutes on two
cores). From the first seed's run P(healthy) is forecast at a fifth and at half of its length; how
often the number of healthy ones among the others lies within the 90 % that it lets one expect.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result
from forecast import auroc_interval, scores
from numpy.typing import NDArray

from dlcc.estimate import Estimate
from dlcc.forecast.folders import forecast_folders
from dlcc.forecast.forecaster import Forecaster
from dlcc.past_runs.build.assembly import FOLDS, folds_by_setting
from dlcc.past_runs.build.single_networks import draw_single
from dlcc.past_runs.health_model import HealthModel
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import FRACTIONS, Library
from dlcc.recipes import truth
from dlcc.recipes.train import train
from dlcc.records import LABELS, most_probable
from dlcc.scoring.calibration import p_healthy

HEALTHY = LABELS.index("healthy")
SETTINGS, SEEDS, CORPUS_SEED = 24, 8, 77  # the library's settings are those of another seed


def verdicts(past: Library) -> dict[str, Any]:
    """Labels and P(healthy) of whole records, by GANs."""
    gans = shipped_library()
    model = HealthModel(gans, series_only=False)
    p, right = np.zeros(len(past)), np.zeros(len(past), dtype=np.bool_)
    confusion: dict[str, dict[str, int]] = {}
    for i, figures in enumerate(past.vectors[:, -1]):
        vector = dict(zip(past.names, map(float, figures), strict=True))
        label, came = most_probable(model.labels(vector)), LABELS[past.labels[i]]
        p[i], right[i] = p_healthy(vector, gans).mean(), label == came
        of_kind = confusion.setdefault(came, {})
        of_kind[label] = of_kind.get(label, 0) + 1
    healthy = past.labels == HEALTHY
    by_data = {str(d): float(right[past.data == d].mean()) for d in np.unique(past.data)}
    return {
        "runs": len(past),
        "labels_right": float(right.mean()),
        "labels_right_by_data": by_data,
        "called": confusion,
        "p_healthy": scores(p, healthy),
        "base_rate_brier": float(healthy.mean() * (1 - healthy.mean())),
    }


def forecasts(past: Library, fold: NDArray[np.int64], beside: Library | None) -> dict[str, Any]:
    """Of every run from the other folds, and the runs `beside` them, at each fraction."""
    healthy = past.labels == HEALTHY
    table: dict[str, Any] = {
        "base_rate_brier": float(healthy.mean() * (1 - healthy.mean())),
    }
    for fraction, seen in enumerate(FRACTIONS):
        raw = Space(past, fraction, series_only=False).raw
        p, quarter, mean = (np.zeros(len(past)) for _ in range(3))
        for k in np.unique(fold):
            inside = np.flatnonzero(fold == k)
            rest = past.select(fold != k)
            rest = rest if beside is None else beside.joined(rest)
            mean[inside] = np.nanmean(rest.next_quarter[:, fraction])
            forecaster = Forecaster.fit(rest, seen, series_only=False)
            for i, prospect in zip(inside, forecaster.many(raw[inside]), strict=True):
                p[i], quarter[i] = prospect.p_healthy.mean, prospect.next_quarter.mean
        came = past.next_quarter[:, fraction]
        table[f"{seen:.0%}"] = scores(p, healthy) | {
            "auroc_90": auroc_interval(p, healthy),
            "next_quarter_error": float(np.abs(quarter - came).mean()),
            "next_quarter_error_of_the_mean": float(np.abs(mean - came).mean()),
        }
    return table


def by_gans(past: Library, gans: Library) -> dict[str, Any]:
    """The same by a forecaster that was fitted on GANs alone."""
    healthy, table = past.labels == HEALTHY, {}
    for fraction, seen in enumerate(FRACTIONS):
        forecaster = Forecaster.fit(gans, seen, series_only=False)
        raw = Space(past, fraction, series_only=False).raw
        p = np.array([prospect.p_healthy.mean for prospect in forecaster.many(raw)])
        table[f"{seen:.0%}"] = scores(p, healthy)
    return table


# --- replicated settings --------------------------------------------------------------------------


def folder_of(work: Path, setting: int, seed: int) -> Path:
    """Where a run of a setting is."""
    return work / f"{setting:02d}-{seed}"


def make(work: Path, setting: int, seed: int) -> None:
    """Train one, or go on with it."""
    recipe, drawn = draw_single(CORPUS_SEED, setting)
    train(recipe, folder_of(work, setting, seed), {**drawn, "seed": 1000 + seed}, snapshots=1)


def train_all(work: Path, jobs: int) -> None:
    """Every setting with every seed."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("forkserver")) as pool:
        wanted = [(setting, seed) for setting in range(SETTINGS) for seed in range(SEEDS)]
        futures = [pool.submit(make, work, *one) for one in wanted]
        for done, future in enumerate(futures, start=1):
            future.result()
            print(f"{done}/{len(futures)}", flush=True)


def coverage(work: Path) -> dict[str, Any]:
    """How often the forecast from the first seed's run holds for the other seeds."""
    ended = np.array(
        [
            [truth.read(folder_of(work, k, seed)).label == "healthy" for seed in range(1, SEEDS)]
            for k in range(SETTINGS)
        ]
    )
    healthy = ended.sum(axis=1)
    past = shipped_library().joined(shipped_library("single"))
    table: dict[str, Any] = {
        "settings": SETTINGS,
        "seeds": SEEDS,
        "settings_where_the_others_differ": int(((healthy > 0) & (healthy < SEEDS - 1)).sum()),
    }
    folders = [folder_of(work, setting, 0) for setting in range(SETTINGS)]
    for seen in ("0.2", "0.5"):
        forecast = [f.prospect.p_healthy for f in forecast_folders(folders, seen, past=past)]
        held = [_holds(p, int(n)) for p, n in zip(forecast, healthy, strict=True)]
        widths = [high - low for low, high in (p.interval(0.9) for p in forecast)]
        table[f"held_at_{float(seen):.0%}"] = float(np.mean(held))
        table[f"width_at_{float(seen):.0%}"] = float(np.mean(widths))
    return table


def _holds(p: Estimate, healthy: int) -> bool:
    """Whether so many healthy runs lie within 90 % of what a forecast lets one expect."""
    expected = np.random.default_rng(0).binomial(SEEDS - 1, np.clip(p.sample("p_healthy"), 0, 1))
    low, high = np.quantile(expected, [0.05, 0.95])
    return bool(low <= healthy <= high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the replicated runs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    train_all(arguments.work, arguments.jobs)
    past, gans = shipped_library("single"), shipped_library().untampered
    settings = folds_by_setting(list(past.settings), FOLDS, 0)
    data_sets = np.unique(past.data, return_inverse=True)[1]
    figures: Mapping[str, Any] = {
        "verdicts": verdicts(past),
        "other_settings": forecasts(past, settings, gans),
        "other_data_sets": forecasts(past, data_sets, gans),
        "other_settings_without_gans": forecasts(past, settings, None),
        "other_data_sets_without_gans": forecasts(past, data_sets, None),
        "gans": by_gans(past, gans),
        "intervals": coverage(arguments.work),
    }
    write_result(
        "single_networks", figures, seeds={"folds": 0, "settings": CORPUS_SEED, "network": 0}
    )


if __name__ == "__main__":
    main()
