"""Whether forecasts after a fifth of the training hold, on settings and data sets left out.

    python benchmarks/forecast.py --work /tmp/fresh

The 40 fresh runs of benchmarks/verdicts.py (trained into --work if they are not there), and all
that had to be trained to find them, cut at 20 % of their length, natively and exported as CSV
folders; and the library's own runs, each forecast from the other settings (five folds by setting)
and from the other data sets. AUROC and Brier score of "healthy", beside those of always saying the
base rate (of the same data set) and of a forest that sees the configuration alone; the forest
without the graph network and the network without the forest; and the reliability in ten bins of
equal mass, drawn in results/forecast-reliability.png.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, write_result
from foreign import export_csv
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from verdicts import choose

from dlcc.forecast.folders import forecast_folders
from dlcc.forecast.forecaster import Forecaster
from dlcc.forecast.forest import OutcomeForest
from dlcc.past_runs.build.assembly import folds_by_setting
from dlcc.past_runs.configuration import CONFIG_FEATURES
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.similarity import Space
from dlcc.past_runs.store import Library, nearest_fraction
from dlcc.recipes import truth
from dlcc.records import LABELS
from dlcc.typing import Floats

SEEN, FOLDS, BINS = 0.2, 5, 10
HEALTHY = LABELS.index("healthy")


def scores(p: Floats, healthy: NDArray[np.bool_]) -> dict[str, float]:
    """AUROC and Brier score of probabilities [n]."""
    return {
        "auroc": float(roc_auc_score(healthy, p)),
        "brier": float(np.mean((p - healthy) ** 2)),
    }


def auroc_interval(p: Floats, healthy: NDArray[np.bool_], draws: int = 2000) -> list[float]:
    """90 % of bootstrapped AUROCs."""
    rng = np.random.default_rng(0)
    found = []
    while len(found) < draws:
        k = rng.integers(len(p), size=len(p))
        if 0 < healthy[k].sum() < len(k):
            found.append(roc_auc_score(healthy[k], p[k]))
    return [float(q) for q in np.quantile(found, [0.05, 0.95])]


def fresh(folders: Sequence[Path], past: Library) -> dict[str, Any]:
    """Run folders, natively and as another tool leaves them."""
    judged = [truth.read(folder) for folder in folders]
    healthy = np.array([t.label == "healthy" for t in judged])
    data = np.array([t.data for t in judged])
    native = np.array([f.prediction.p_healthy.mean for f in forecast_folders(folders, str(SEEN))])
    with tempfile.TemporaryDirectory() as name:
        exported = []
        for k, folder in enumerate(folders):
            exported.append(Path(name) / f"{k:02d}")
            export_csv(folder, exported[-1])
        csv = np.array([f.prediction.p_healthy.mean for f in forecast_folders(exported, str(SEEN))])
    without = np.zeros(len(folders))
    for left_out in np.unique(data):
        part = past.select(past.data != left_out)
        inside = np.flatnonzero(data == left_out)
        found = forecast_folders([folders[i] for i in inside], str(SEEN), past=part)
        without[inside] = [f.prediction.p_healthy.mean for f in found]
    base = np.array([past.select(past.data == d).labels == HEALTHY for d in data], dtype=object)
    rate = np.array([b.mean() for b in base], dtype=np.float64)
    return {
        "runs": len(folders),
        "healthy": int(healthy.sum()),
        "native": scores(native, healthy) | {"auroc_90": auroc_interval(native, healthy)},
        "csv": scores(csv, healthy) | {"auroc_90": auroc_interval(csv, healthy)},
        "data_set_left_out": scores(without, healthy)
        | {"auroc_90": auroc_interval(without, healthy)},
        "base_rate_brier": float(np.mean((rate - healthy) ** 2)),
    }


def held_out(past: Library, fold: NDArray[np.int64], *, series_only: bool) -> Mapping[str, Floats]:
    """P(healthy) of every run from the other folds: blended, by each model, by the settings."""
    fraction = nearest_fraction(SEEN)
    whole = Space(past, fraction, series_only)
    found = {name: np.zeros(len(past)) for name in ("blend", "forest", "network", "config")}
    for k in np.unique(fold):
        rest, inside = past.select(fold != k), np.flatnonzero(fold == k)
        forecaster = Forecaster.fit(rest, SEEN, series_only=series_only, network=True)
        points = forecaster.space.standardised(whole.raw[inside])
        prospects = forecaster.many(whole.raw[inside])
        found["blend"][inside] = [p.p_healthy.mean for p in prospects]
        is_healthy = forecaster.space.library.labels == HEALTHY
        found["forest"][inside] = forecaster.forest.weights(points) @ is_healthy
        assert forecaster.gnn is not None
        found["network"][inside] = forecaster.gnn.probabilities(points)[:, HEALTHY]
        own = slice(-len(CONFIG_FEATURES), None)
        config = OutcomeForest.fit(
            forecaster.space.points[:, own], rest.labels, rest.stability, len(rest.label_names)
        )
        found["config"][inside] = config.weights(points[:, own]) @ is_healthy
    return found


def library_scores(past: Library, found: Mapping[str, Floats]) -> dict[str, Any]:
    """Scores of each model, in all and within each data set."""
    healthy = past.labels == HEALTHY
    table: dict[str, Any] = {name: scores(p, healthy) for name, p in found.items()}
    for data in np.unique(past.data):
        own = past.data == data
        rate = healthy[own].mean()
        table[str(data)] = {name: scores(p[own], healthy[own]) for name, p in found.items()} | {
            "base_rate_brier": float(rate * (1 - rate))
        }
    return table


def reliability(p: Floats, healthy: NDArray[np.bool_]) -> list[list[float]]:
    """(mean probability, frequency, runs) in bins of equal mass."""
    bins = np.array_split(np.argsort(p, kind="stable"), BINS)
    return [
        [round(float(p[b].mean()), 4), round(float(healthy[b].mean()), 4), len(b)] for b in bins
    ]


def draw(bins: Sequence[Sequence[float]], path: Path) -> None:
    """Frequency over probability, with the 90 % interval of each frequency (Jeffreys)."""
    from matplotlib.figure import Figure
    from scipy.stats import beta

    p, share, n = np.array(bins).T
    low, high = (beta.ppf(q, share * n + 0.5, n - share * n + 0.5) for q in (0.05, 0.95))
    figure = Figure(figsize=(4.2, 4.2), layout="constrained")
    axes = figure.add_subplot(
        xlabel="forecast P(healthy) at 20 %", ylabel="share that ended healthy", aspect="equal"
    )
    axes.plot([0, 1], [0, 1], color="#ddd")
    whiskers = np.clip([share - low, high - share], 0, None)  # of a share of 0 the low end is above
    axes.errorbar(p, share, whiskers, fmt="o", color="#0b6e99", capsize=2)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder of the fresh runs")
    arguments = parser.parse_args()
    past = shipped_library()
    past = past.select(past.true_record)
    settings = folds_by_setting(list(past.settings), FOLDS, 0)
    data_sets = np.unique(past.data, return_inverse=True)[1]
    in_range = held_out(past, settings, series_only=False)
    bins = reliability(in_range["blend"], past.labels == HEALTHY)
    draw(bins, RESULTS / "forecast-reliability.png")
    chosen, trained = choose(arguments.work)
    write_result(
        "forecast",
        {
            "fresh": fresh(chosen, past),
            "fresh_all_trained": fresh(trained, past),
            "other_settings": library_scores(past, in_range),
            "other_settings_blind": library_scores(
                past, held_out(past, settings, series_only=True)
            ),
            "other_data_sets": library_scores(past, held_out(past, data_sets, series_only=False)),
            "other_data_sets_blind": library_scores(
                past, held_out(past, data_sets, series_only=True)
            ),
            "reliability": bins,
        },
        seeds={"folds": 0, "network": 0},
    )


if __name__ == "__main__":
    main()
