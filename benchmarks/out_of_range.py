"""Forecasts of small GANs whose settings no past run had, from records of several sorts.

    python benchmarks/out_of_range.py --seed SEED

120 settings, drawn with the hash of a commit as the seed, forty on each data set: widths, depths of
noise, batches, penalties, initial scales and decay rates that lie between or outside those of past
runs, and learning rates from a wider range. Each is forecast at 10, 20, 50 and 100 % of its length
with samples, and at 20, 50 and 100 % from series: all of them, losses alone, every tenth row, means
of ten rows. Labels are those by which past figures were judged.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from common import write_result
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dlcc.ensembles import train_ensemble
from dlcc.forecast.forecasters import Forecasters
from dlcc.health.curves import Curves, run_vector
from dlcc.health.definitions import sample_steps
from dlcc.health.samples import sample_features
from dlcc.health.windows import QUANTITIES, window_features
from dlcc.past_runs.build.settings import DATA, STEPS, draw_setting
from dlcc.past_runs.build.simulation import OVERTRAIN, judge_member, reference_of
from dlcc.past_runs.in_use import shipped_library
from dlcc.recipes import truth
from dlcc.records import Column, Series

Floats = NDArray[np.float64]
OF_EACH = 40
SHARES = (0.1, 0.2, 0.5, 1.0)
OTHER: Mapping[str, tuple[float, ...]] = {
    "beta1": (0.25, 0.7, 0.95),
    "beta2": (0.95, 0.995, 0.9995),
    "r1": (0.0, 0.03, 0.3, 30.0),
    "init": (0.7, 1.4, 3.0),
}
SHAPES = ({"width": 24, "zdim": 6, "batch": 24}, {"width": 48, "zdim": 12, "batch": 48})
SORTS = ("series", "losses", "every tenth", "means of ten")
LOSSES = QUANTITIES[:2]


def settings(seed: int, data: str, shape: int) -> list[dict[str, Any]]:
    """Draw settings of one ensemble, none of them one of past runs."""
    made = []
    for k in range(OF_EACH // len(SHAPES)):
        rng = np.random.default_rng([seed, DATA.index(data), shape, k])
        setting = draw_setting(seed % 1_000, 90_000 + 1_000 * shape + k, data)
        setting |= {key: float(rng.choice(values)) for key, values in OTHER.items()}
        for rate in ("lr_g", "lr_d"):
            setting[rate] = float(f"{min(10.0, setting[rate] * 10 ** rng.uniform(-0.5, 0.5)):.3g}")
        made.append({**setting, **SHAPES[shape], "depth": 2, "data": data, "steps": STEPS})
    return made


def series_of(rows: Mapping[str, Floats], sort: str, until: int) -> Series:
    """Series of a sort before a step."""
    columns = {}
    for name in LOSSES if sort == "losses" else QUANTITIES:
        values, steps = np.asarray(rows[name], dtype=np.float64)[:until], np.arange(until)
        if sort == "every tenth":
            values, steps = values[::10], steps[::10]
        if sort == "means of ten":
            whole = until // 10 * 10
            values, steps = values[:whole].reshape(-1, 10).mean(axis=1), steps[9:whole:10]
        columns[name] = Column(steps, values, np.zeros(0))
    return Series(columns)


def forecasts(seed: int) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
    """P(healthy) [shares, runs] by sort of record, and whether each run was healthy."""
    past = shipped_library()
    fitted = Forecasters(past)
    p: dict[str, list[list[float]]] = {sort: [[] for _ in SHARES] for sort in ("samples", *SORTS)}
    healthy = []
    for data in DATA:
        reference = reference_of(data)
        for shape in range(len(SHAPES)):
            configs = settings(seed, data, shape)
            trained = train_ensemble(
                configs,
                steps=round(STEPS * OVERTRAIN),
                sample_steps=sample_steps(STEPS, truth.SAMPLE_STEPS, OVERTRAIN),
                samples=truth.SAMPLES[data],
            )
            for i, config in enumerate(configs):
                rows, samples = trained.member(i)
                judged = judge_member(data, STEPS, rows, trained.sample_steps, samples)
                healthy.append(judged.label == "healthy")
                within = [k for k, step in enumerate(trained.sample_steps) if step <= STEPS]
                figures = np.array(
                    [sample_features(np.asarray(samples[k], np.float64), reference) for k in within]
                )
                for s, share in enumerate(SHARES):
                    until = round(share * STEPS)
                    for sort, table in p.items():
                        seen = series_of(rows, "series" if sort == "samples" else sort, until)
                        windows = window_features(seen, until)
                        count = round(share * truth.SAMPLE_STEPS)
                        curves = Curves(windows, figures[:count] if sort == "samples" else None)
                        vector = run_vector(curves, past.good(curves))
                        only = sort != "samples"
                        model = fitted.at(share, vector, config, series_only=only)
                        table[s].append(model(vector, config).p_healthy.mean)
            print(data, shape, len(healthy), sum(healthy), flush=True)
    return {sort: np.array(table) for sort, table in p.items()}, np.array(healthy)


def scored(p: Floats, healthy: NDArray[np.bool_]) -> dict[str, Any]:
    """AUROC with its bootstrapped 90 % interval, and the Brier score."""
    rng = np.random.default_rng(0)
    drawn = [
        roc_auc_score(healthy[k], p[k])
        for k in rng.integers(len(p), size=(1_000, len(p)))
        if 0 < healthy[k].sum() < len(k)
    ]
    low, high = np.quantile(drawn, [0.05, 0.95])
    return {
        "auroc": round(float(roc_auc_score(healthy, p)), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
        "brier": round(float(np.mean((p - healthy) ** 2)), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found, healthy = forecasts(options.seed)
    figures = {
        sort: {f"{share:.0%}": scored(table[s], healthy) for s, share in enumerate(SHARES)}
        for sort, table in found.items()
    }
    base = float(healthy.mean())
    write_result(
        "out_of_range",
        {
            "runs": len(healthy),
            "healthy": int(healthy.sum()),
            "base rate: brier": round(base * (1 - base), 3),
            **figures,
        },
        {"settings": options.seed},
    )


if __name__ == "__main__":
    main()
