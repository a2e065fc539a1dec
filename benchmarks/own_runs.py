"""Whether fifty labelled runs of a user's own recalibrate forecasts of the user's further runs.

    python benchmarks/own_runs.py --seed SEED

A data set that the past runs lack is the user's. Fifty of its runs are drawn as those that the user
has labelled, the others are forecast: by past runs alone (before); with the fifty among the past
runs; by past runs alone, recalibrated on the fifty; and with the fifty among them, recalibrated on
forecasts of folds of the fifty by the past runs and the other folds. What ships was chosen on the
ring and the 3×3 grid, and is judged on digits and on images. The expected calibration error is over
bins of equal mass, less what forecasts that are true would show in as many runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from common import write_result
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from transfer import forecast

from dlcc.forecast.forecaster import Forecaster
from dlcc.forecast.forest import OutcomeForest
from dlcc.forecast.recalibration import Recalibration
from dlcc.past_runs.build.assembly import folds_by_setting
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import FRACTIONS, Library

Floats = NDArray[np.float64]
LABELLED, LOOKS, FOLDS, TREES, RUNS_OF_A_BIN, TRUE_DRAWS = 50, (0, 1, 2), 5, 50, 40, 200
CHOSEN_ON, JUDGED_ON = ("ring", "grid9"), ("digits", "mnist5k", "fashion")


def p_healthy(known: Library, asked: Library, look: int) -> Floats:
    """P(healthy) [n] as `dlcc forecast` says it."""
    if len(asked.in_features):
        return forecast(known, asked, look, series_only=False)
    space = Space(known.as_given, look, False)
    past = space.library
    grown = OutcomeForest.fit(
        space.points, past.labels, past.stability, len(past.label_names), TREES
    )
    fitted = Forecaster(space, grown, None)
    raw = Space(asked, look, False, fitted.space.names).raw
    return np.array([found.p_healthy.mean for found in fitted.many(raw)])


def out_of_fold(past: Library, own: Library, look: int) -> Floats:
    """P(healthy) [n] of own runs, each fold from past runs and the other folds."""
    p, fold = np.zeros(len(own)), folds_by_setting(list(own.settings), FOLDS, 0)
    for k in range(FOLDS):
        p[fold == k] = p_healthy(past.joined(own.select(fold != k)), own.select(fold == k), look)
    return p


def ways(past: Library, own: Library, asked: Library, look: int) -> dict[str, Floats]:
    """P(healthy) [n] of the runs that are asked about, by each way."""
    ended = own.labels == 0
    before = p_healthy(past, asked, look)
    among = p_healthy(past.joined(own), asked, look)
    told, folds = p_healthy(past, own, look), out_of_fold(past, own, look)
    return {
        "before": before,
        "recalibrated": Recalibration.fit(told, ended)(before),
        "among past runs": among,
        "among past runs, recalibrated": Recalibration.fit(folds, ended)(among),
    }


def calibration_error(p: Floats, healthy: NDArray[np.bool_]) -> float:
    """Expected calibration error over bins of equal mass."""
    bins = np.array_split(np.argsort(p, kind="stable"), max(2, min(10, len(p) // RUNS_OF_A_BIN)))
    return float(sum(len(b) * abs(p[b].mean() - healthy[b].mean()) for b in bins) / len(p))


def beyond_chance(p: Floats, healthy: NDArray[np.bool_], rng: np.random.Generator) -> float:
    """Expected calibration error less what true forecasts would show."""
    usual = [calibration_error(p, rng.random(len(p)) < p) for _ in range(TRUE_DRAWS)]
    return calibration_error(p, healthy) - float(np.mean(usual))


Measure = Callable[[Floats, NDArray[np.bool_]], float]


def of_user(past: Library, data: str, look: int, draws: int, seed: int) -> dict[str, Any]:
    """Figures of a user whose data set is `data`, over draws of the labelled runs."""
    others, users = past.select(past.data != data), past.select(past.data == data)
    rng = np.random.default_rng([seed, look, sum(map(ord, data))])
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(draws):
        order = rng.permutation(len(users))
        own, asked = users.select(order[:LABELLED]), users.select(order[LABELLED:])
        healthy = asked.labels == 0
        measures: dict[str, Measure] = {
            "ECE beyond chance": lambda p, y: beyond_chance(p, y, rng),
            "ECE": calibration_error,
            "brier": lambda p, y: float(np.mean((p - y) ** 2)),
            "auroc": lambda p, y: float(roc_auc_score(y, p)),
        }
        for way, p in ways(others, own, asked, look).items():
            of_way = found.setdefault(way, {name: [] for name in measures})
            for name, measure in measures.items():
                of_way[name].append(measure(p, healthy))
    return {
        "asked": len(users) - LABELLED,
        **{
            way: {
                name: [round(float(x), 4) for x in (np.mean(v), *np.quantile(v, [0.05, 0.95]))]
                for name, v in of_way.items()
            }
            for way, of_way in found.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--draws", type=int, default=3)
    options = parser.parse_args()
    past = shipped_library().untampered
    found: dict[str, Any] = {}
    for part, names in (("chosen on", CHOSEN_ON), ("judged on", JUDGED_ON)):
        found[part] = {}
        for data in names:
            found[part][data] = {}
            for look in LOOKS:
                figures = of_user(past, data, look, options.draws, options.seed)
                found[part][data][f"at {FRACTIONS[look]:g}"] = figures
                print(part, data, look, figures, flush=True)
    write_result("own_runs", found, {"draws": options.seed})


if __name__ == "__main__":
    main()
