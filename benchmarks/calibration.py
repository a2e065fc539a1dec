"""Whether P(healthy) and the intervals hold on settings that were not fitted.

    python benchmarks/calibration.py

Five folds over the settings of the shipped library: each fold's P(healthy), stability and next
quarter, of the whole records, come from the other four. Brier score and expected
calibration error (ten bins of equal mass) with bootstrap 90 % intervals, beside the Brier score of
always saying the base rate; for stability and the next quarter, how often the 90 % interval holds
the truth, and the mean absolute error of the mean. With samples, and without.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from common import write_result

from dlcc.estimate import Estimate
from dlcc.forecast.forecaster import Forecaster
from dlcc.past_runs.build.assembly import folds_by_setting
from dlcc.past_runs.health_model import HealthModel
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import Library
from dlcc.records import LABELS
from dlcc.scoring.calibration import calibrate, features
from dlcc.typing import Floats

FOLDS, SEED, RESAMPLES, BINS = 5, 0, 2000, 10


def brier(p: Floats, happened: Floats) -> float:
    """Mean squared difference of probabilities [n] and what happened (0 or 1) [n]."""
    return float(np.mean((p - happened) ** 2))


def calibration_error(p: Floats, happened: Floats) -> float:
    """Mean absolute difference of probability and frequency over bins of equal mass."""
    bins = np.array_split(np.argsort(p, kind="stable"), BINS)
    return float(sum(len(b) * abs(p[b].mean() - happened[b].mean()) for b in bins) / len(p))


def held_out(table: Library, *, series_only: bool) -> tuple[Floats, list[Estimate], list[Estimate]]:
    """P(healthy) [n], stability and next quarter of every run, each from the other folds."""
    n = len(table.labels)
    fold = folds_by_setting(list(table.settings), FOLDS, SEED)
    raw = Space(table, -1, series_only).raw
    p = np.zeros(n)
    stability: list[Estimate] = [Estimate.ignorance()] * n
    next_quarter = list(stability)
    vectors = (table.series_only_vectors if series_only else table.vectors)[:, -1]
    for k in range(FOLDS):
        others = table.select(fold != k)
        model = HealthModel(others, series_only)
        fit = calibrate(others, series_only=series_only)
        inside = np.flatnonzero(fold == k)
        p[inside] = fit.probabilities(
            table.columns(features(series_only=series_only), series_only=series_only)[inside]
        )[:, 1]
        for i in inside:
            vector = dict(zip(table.names, vectors[i], strict=True))
            stability[i] = model.stability(vector)
        for i, prospect in zip(
            inside,
            Forecaster.fit(others, 1.0, series_only=series_only).many(raw[inside]),
            strict=True,
        ):
            next_quarter[i] = prospect.next_quarter
    return p, stability, next_quarter


def with_interval(
    measure: Callable[[Floats, Floats], float], p: Floats, happened: Floats
) -> dict[str, float]:
    """A measure with its bootstrap 90 % interval."""
    rng = np.random.default_rng(SEED)
    picks = rng.integers(0, len(p), (RESAMPLES, len(p)))
    low, high = np.quantile([measure(p[i], happened[i]) for i in picks], [0.05, 0.95])
    return {"value": measure(p, happened), "low": float(low), "high": float(high)}


def against(estimates: list[Estimate], truth: Floats) -> dict[str, float]:
    """How estimates of a share stand to the truth [n]."""
    bounds = np.array([e.interval(0.9) for e in estimates])
    slack = 1e-6  # shares such as .9 are kept in single precision
    inside = (bounds[:, 0] - slack <= truth) & (truth <= bounds[:, 1] + slack)
    return {
        "inside_90_interval": float(inside.mean()),
        "mean_width": float((bounds[:, 1] - bounds[:, 0]).mean()),
        "mean_absolute_error": float(np.mean(np.abs([e.mean for e in estimates] - truth))),
    }


def figures(table: Library, *, series_only: bool) -> dict[str, Any]:
    """What is written of one of the two: with samples or without."""
    healthy = (table.labels == LABELS.index("healthy")).astype(np.float64)
    p, stability, next_quarter = held_out(table, series_only=series_only)
    return {
        "brier": with_interval(brier, p, healthy),
        "calibration_error": with_interval(calibration_error, p, healthy),
        "brier_by_data": {
            str(data): brier(p[table.data == data], healthy[table.data == data])
            for data in np.unique(table.data)
        },
        "stability": against(stability, table.stability),
        "next_quarter": against(next_quarter, table.next_quarter[:, -1]),
    }


def main() -> None:
    table = shipped_library()
    table = table.select(table.true_record)
    healthy = float(np.mean(table.labels == LABELS.index("healthy")))
    write_result(
        "calibration",
        {
            "runs": len(table.labels),
            "healthy": healthy,
            "brier_of_base_rate": healthy * (1 - healthy),
            "with_samples": figures(table, series_only=False),
            "without_samples": figures(table, series_only=True),
        },
        seeds={"folds": SEED, "bootstrap": SEED},
    )


if __name__ == "__main__":
    main()
