"""Compute saved by stopping early against healthy runs killed, beside other rules.

python benchmarks/stopping.py --seed SEED

Past runs are divided by setting in five, and each fifth is forecast from the others at 10, 20 and
50 % of its length. Rules see the same: P(healthy) of the forecast, or P(good) of the record so far.
MedianPruner is Optuna's rule, with its five runs to start with, in twenty random orders.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import cache

import numpy as np
from common import write_result
from numpy.typing import NDArray

from dlcc.estimate import Estimate
from dlcc.forecast.forecaster import Forecaster
from dlcc.forecast.stopping import COST
from dlcc.past_runs.build.assembly import FOLDS, folds_by_setting
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import FRACTIONS, Library

Floats = NDArray[np.float64]
LOOKS = (0, 1, 2)
"""Fractions at which a rule may stop a run, as indices."""
COSTS = np.geomspace(0.05, 60, 16)
KILLED = (0.01, 0.02, 0.05, 0.1)


def forecasts(past: Library, seed: int, *, series_only: bool) -> list[list[Estimate]]:
    """Forecast of P(healthy) of every run at every look, from runs of other settings."""
    fold = folds_by_setting(list(past.settings), FOLDS, seed)
    found: list[list[Estimate]] = [[] for _ in range(len(past))]
    for k in range(FOLDS):
        rest, own = past.select(fold != k), np.flatnonzero(fold == k)
        for look in LOOKS:
            forecaster = Forecaster.of(Space(rest, look, series_only))
            raw = Space(past.select(own), look, series_only).raw
            for run, prediction in zip(own, forecaster.many(raw), strict=True):
                found[run].append(prediction.p_healthy)
    return found


def outcome(stopped_at: NDArray[np.int64], healthy: NDArray[np.bool_]) -> tuple[float, float]:
    """Share of all compute that is saved, and of healthy runs that are killed.

    `stopped_at` has the index of the look at which a run was stopped, −1 for none.
    """
    used = np.where(stopped_at < 0, 1.0, np.array(FRACTIONS)[stopped_at])
    return float(1 - used.mean()), float((stopped_at[healthy] >= 0).mean())


def first(stops: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Look at which a rule first stops each run, of [n, looks]; −1 for none."""
    return np.where(stops.any(axis=1), stops.argmax(axis=1), -1)


def stops(p: list[list[Estimate]], cost: float = COST) -> NDArray[np.int64]:
    """Stops by the advice at a cost of healthy runs, as `stopping` gives it, for all at once."""
    most = np.array([[_upper_end(at) for at in of_run] for of_run in p])
    left = 1 - np.array(FRACTIONS)[list(LOOKS)]
    return first(left - most * cost > 0)


@cache
def _upper_end(p: Estimate) -> float:
    """Upper end of the 90 % interval, as `stopping` takes it."""
    return p.interval(0.9)[1]


def by_advice(p: list[list[Estimate]]) -> list[NDArray[np.int64]]:
    """Stops by the advice, at each cost."""
    return [stops(p, float(cost)) for cost in COSTS]


def by_threshold(good: Floats) -> list[NDArray[np.int64]]:
    """Stops where P(good) lies under a fixed threshold at some look."""
    return [first(good < threshold) for threshold in np.linspace(0, 1, 41)]


def by_best(good: Floats, seed: int) -> list[NDArray[np.int64]]:
    """Stops at a tenth of all but the best share by P(good) then; ties are broken by chance."""
    jitter = np.random.default_rng(seed).uniform(0, 1e-6, len(good))
    rank = np.argsort(np.argsort(good[:, 0] + jitter)) / len(good)
    return [np.where(rank < share, 0, -1) for share in np.linspace(0, 0.98, 41)]


def by_median(good: Floats, seed: int) -> NDArray[np.int64]:
    """Stops by Optuna's MedianPruner: P(good) under the median of earlier runs at that look."""
    order = np.random.default_rng(seed).permutation(len(good))
    stopped = np.full(len(good), -1)
    seen: list[list[float]] = [[] for _ in LOOKS]
    for number, run in enumerate(order):
        for look in LOOKS:
            earlier = seen[look]
            if number >= 5 and earlier and good[run, look] < np.median(earlier):
                stopped[run] = look
                break
            seen[look].append(good[run, look])
    return stopped


def saved_at(curve: list[tuple[float, float]]) -> dict[str, float]:
    """Largest saving of a curve's points that kill no more than each share of healthy runs."""
    return {
        f"{limit:g}": max((saved for saved, killed in curve if killed <= limit), default=0.0)
        for limit in KILLED
    }


def measured(past: Library, seed: int, *, series_only: bool) -> Mapping[str, object]:
    """Curves of every rule."""
    healthy = past.labels == past.label_names.index("healthy")
    good = np.column_stack(
        [past.columns(["good_last"], series_only=series_only, fraction=k)[:, 0] for k in LOOKS]
    )
    p = forecasts(past, seed, series_only=series_only)
    means = np.array([[at.mean for at in of_run] for of_run in p])
    rules: dict[str, list[NDArray[np.int64]]] = {
        "the advice, at costs of .05 to 60 trainings": by_advice(p),
        "the forecast's mean under a threshold": by_threshold(means),
        "P(good) under a threshold": by_threshold(good),
        "train a tenth and keep the best": by_best(good, seed),
        "MedianPruner": [by_median(good, seed + k) for k in range(20)],
    }
    curves = {name: [outcome(s, healthy) for s in found] for name, found in rules.items()}
    return {
        "runs": len(past),
        "healthy": int(healthy.sum()),
        "the advice at its usual cost": outcome(stops(p), healthy),
        "saved at most, where so many healthy runs are killed": {
            name: saved_at(curve) for name, curve in curves.items() if name != "MedianPruner"
        },
        "MedianPruner, saved and killed": np.mean(curves["MedianPruner"], axis=0).tolist(),
        "curves": {name: np.round(curve, 4).tolist() for name, curve in curves.items()},
    }


def main() -> None:
    """Measure with samples and without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    seed = parser.parse_args().seed
    past = shipped_library().untampered.as_given
    figures = {
        "with samples": measured(past, seed, series_only=False),
        "series alone": measured(past, seed, series_only=True),
    }
    write_result("stopping", figures, {"folds": seed})


if __name__ == "__main__":
    main()
