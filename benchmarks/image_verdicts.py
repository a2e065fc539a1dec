"""Verdicts and forecasts on GANs on real images that had no part in any mark.

    python benchmarks/image_verdicts.py --runs FOLDER

FOLDER holds what benchmarks/image_gan_runs.py trained in both styles, drawn with the hash of the
commit that froze the marks. A run is clearly good or clearly bad by a classifier that health never
sees, or between. *Unknown* counts as not right. Whole records with samples and without, and
forecasts at half of the length.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

import dlcc
from dlcc.errors import RunError
from dlcc.forecast.folders import forecast_folders

MARGIN = 0.25  # from one half, from which a forecast counts as given in words
MOST_CLASSES = 6.0


@dataclass(frozen=True)
class Judged:
    """Run with what was said of it."""

    name: str
    style: str
    truth: str
    classes: float
    distance: float
    state: str
    p_healthy: float
    state_without_samples: str
    p_without_samples: float
    forecast: float | None


def judged(truth_file: Path, scratch: Path) -> Judged:
    """Judge one run, its copy without samples, and its first half."""
    about = json.loads(truth_file.read_text(encoding="utf-8"))
    folder = truth_file.with_name(truth_file.name.removesuffix(".truth.json"))
    bare = scratch / folder.name
    shutil.copytree(folder, bare, ignore=shutil.ignore_patterns("samples"))
    whole = dlcc.evaluate(folder, only=["health"]).report.verdict
    without = dlcc.evaluate(bare, only=["health"]).report.verdict
    try:
        [found] = forecast_folders([folder], 0.5)
        expected: float | None = found.prediction.p_healthy.mean
    except RunError:
        expected = None
    last = slice(-6, None)
    return Judged(
        name=folder.name,
        style=folder.name.partition("-")[0],
        truth=about["verdict"],
        classes=float(np.mean(about["classes"][last])),
        distance=float(min(np.mean(about["distances"][last]), 1e3)),
        state=str(whole.state),
        p_healthy=0.5 if whole.p_healthy is None else whole.p_healthy.mean,
        state_without_samples=str(without.state),
        p_without_samples=0.5 if without.p_healthy is None else without.p_healthy.mean,
        forecast=expected,
    )


def interval(hits: Sequence[bool]) -> list[float]:
    """Share with its 90 % interval (Wilson)."""
    n, share, z = len(hits), float(np.mean(hits)), 1.645
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return [round(x, 3) for x in (share, middle - half, middle + half)]


def auroc(good: Sequence[bool], p: Sequence[float]) -> list[float] | None:
    """AUROC with its bootstrapped 90 % interval; None where all are good, or none."""
    if len(set(good)) < 2:
        return None
    rng, y, x = np.random.default_rng(0), np.array(good), np.array(p)
    drawn = [
        roc_auc_score(y[k], x[k])
        for k in rng.integers(len(y), size=(1_000, len(y)))
        if 0 < y[k].sum() < len(k)
    ]
    found = [roc_auc_score(y, x), *np.quantile(drawn, [0.05, 0.95])]
    return [round(float(value), 3) for value in found]


def summary(runs: Sequence[Judged]) -> dict[str, Any]:
    """Figures of some runs."""
    clear = [r for r in runs if r.truth != "between"]
    good = [r.truth == "good" for r in clear]
    words = [
        (r.state == "healthy") == g and r.state != "unknown"
        for r, g in zip(clear, good, strict=True)
    ]
    told = [(r, g) for r, g in zip(clear, good, strict=True) if r.forecast is not None]
    sure = [abs((r.forecast or 0.0) - 0.5) >= MARGIN for r, _ in told]
    ahead = [((r.forecast or 0.0) > 0.5) == g for r, g in told]
    most = [r for r in runs if r.classes >= MOST_CLASSES]
    return {
        "runs": len(runs),
        "clearly good": sum(good),
        "clearly bad": len(good) - sum(good),
        "verdict right": interval(words),
        "auroc": auroc(good, [r.p_healthy for r in clear]),
        "without samples: unknown": float(
            np.mean([r.state_without_samples == "unknown" for r in clear])
        ),
        "without samples: auroc": auroc(good, [r.p_without_samples for r in clear]),
        "forecast at half: auroc": auroc(
            [g for _, g in told], [r.forecast or 0.0 for r, _ in told]
        ),
        "forecast at half: right by the side of one half": interval(ahead),
        "forecast at half: unknown": round(1 - float(np.mean(sure)), 3),
        "forecast at half: right among those in words": interval(
            [a for a, s in zip(ahead, sure, strict=True) if s] or [False]
        ),
        "rank correlation with quality among those that reach most classes": [
            round(float(spearmanr([r.p_healthy for r in most], [-r.distance for r in most])[0]), 3),
            len(most),
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True, help="with which the runs were drawn")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        files = sorted(options.runs.glob("*.truth.json"))
        runs = []
        for file in files:
            runs.append(judged(file, Path(scratch)))
            print(runs[-1], flush=True)
    figures = {"all": summary(runs)}
    for style in sorted({r.style for r in runs}):
        figures[style] = summary([r for r in runs if r.style == style])
    write_result(
        "image_verdicts", {**figures, "each": [asdict(r) for r in runs]}, {"runs": options.seed}
    )


if __name__ == "__main__":
    main()
