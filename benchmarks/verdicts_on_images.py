"""Verdicts with samples on GANs on real images: past runs left out, and settings drawn anew.

    python benchmarks/verdicts_on_images.py --seed SEED --runs 90 --work DIR \\
        --folder mnist5k=DIR --folder fashion=DIR --folder letters=DIR
    python benchmarks/verdicts_on_images.py --seed SEED --parts DIR

The figure and the margin of the verdict were chosen on past runs; the seed is the hash of the
commit that froze them, and draws settings that none of them has. Parts that are in DIR are not made
again. Labels come from classifiers of the data, which no verdict sees, and all count, those near
the mark too. Intervals are bootstrapped over runs.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from common import write_result
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from transfer import forecast, of_images

from dlcc.engine.engines import Processes
from dlcc.engine.results import complete
from dlcc.metrics.features import UNTRAINED
from dlcc.past_runs.build.assembly import assemble
from dlcc.past_runs.build.image_gans import draw_image_gan, image_gan_job
from dlcc.past_runs.build.image_runs import check_images
from dlcc.past_runs.build.part_files import read_part
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.store import FRACTIONS, Library
from dlcc.scoring.calibration import p_healthy
from dlcc.scoring.decision import BY_FEATURES

Floats = NDArray[np.float64]
DRAWS = 1_000
MARGINS = (0.25, 0.3, 0.35, 0.4, 0.45)


def figures(p: Floats, healthy: NDArray[np.bool_]) -> dict[str, Any]:
    """AUROC with its 90 % interval, Brier score, and what is said in words at each margin."""
    rng = np.random.default_rng(0)
    drawn = [k for k in rng.integers(len(p), size=(DRAWS, len(p))) if 0 < healthy[k].sum() < len(p)]
    low, high = np.quantile([roc_auc_score(healthy[k], p[k]) for k in drawn], [0.05, 0.95])
    said = {}
    for margin in MARGINS:
        sure = np.abs(p - 0.5) >= margin
        wrong = ((p > 0.5) != healthy)[sure]
        said[str(margin)] = {
            "in words": round(float(sure.mean()), 3),
            "wrong in words": round(float(wrong.mean()), 3) if len(wrong) else None,
        }
    return {
        "runs": len(p),
        "healthy": int(healthy.sum()),
        "auroc": [round(float(x), 3) for x in (roc_auc_score(healthy, p), low, high)],
        "brier": round(float(np.mean((p - healthy) ** 2)), 3),
        "brier of the base rate": round(float(healthy.mean() * (1 - healthy.mean())), 3),
        "ece": round(calibration_error(p, healthy), 3),
        "at margins": said,
    }


def calibration_error(p: Floats, healthy: NDArray[np.bool_], bins: int = 5) -> float:
    """Expected calibration error over bins of equal size, less what perfect calibration shows."""
    rng = np.random.default_rng(0)
    parts = np.array_split(np.argsort(p), bins)

    def error(outcome: NDArray[np.bool_]) -> float:
        return float(sum(abs(p[k].mean() - outcome[k].mean()) * len(k) for k in parts) / len(p))

    expected = np.mean([error(rng.random(len(p)) < p) for _ in range(DRAWS)])
    return float(error(healthy) - expected)


def judged(asked: Library, past: Library) -> Floats:
    """P(healthy) [n] of complete runs, as `dlcc evaluate` gives it."""
    found = []
    for row in asked.vectors[:, -1]:
        vector = {n: float(v) for n, v in zip(asked.names, row, strict=True) if np.isfinite(v)}
        found.append(float(p_healthy(vector, past, relative=True, space=UNTRAINED).mean()))
    return np.array(found)


def left_out(own: Library, groups: NDArray[Any]) -> Floats:
    """P(healthy) [n] of each run, by the runs of the other groups."""
    p = np.zeros(len(own))
    for group in np.unique(groups):
        p[groups == group] = judged(own.select(groups == group), own.select(groups != group))
    return p


def drawn_anew(seed: int, runs: int, work: Path, folders: dict[str, str]) -> Library:
    """Train settings that a seed draws."""
    check_images((draw_image_gan(seed, number)["data"] for number in range(runs)), folders)
    jobs = [image_gan_job(seed, number, folders) for number in range(runs)]

    def said(share: float, what: str) -> None:
        sys.stderr.write(f"{what}\n")

    files = complete(jobs, work, Processes(os.cpu_count() or 1), said, "GANs on images")
    return assemble([run for file in files for run in read_part(file)], good=shipped_library().good)


def in_parts(folder: Path) -> Library:
    """Read runs that a build of the library trained after the figure and the margin were frozen."""
    runs = [run for file in sorted(folder.iterdir()) for run in read_part(file)]
    return assemble(runs, good=shipped_library().good)


def healthy_of(runs: Library) -> NDArray[np.bool_]:
    """Whether each run ended healthy, [n]."""
    return np.array([runs.label_of(k) == "healthy" for k in range(len(runs))])


def main() -> None:
    """Judge every run at the end of its record, and forecast those that were drawn anew."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--runs", type=int, default=90)
    parser.add_argument("--work", type=Path, default=None)
    parser.add_argument("--parts", type=Path, default=None, help="parts of `dlcc library build`")
    parser.add_argument("--folder", action="append", default=[])
    given = parser.parse_args()
    folders = dict(text.partition("=")[::2] for text in given.folder)
    if given.parts is not None:
        fresh = in_parts(given.parts)
    elif given.work is not None:
        fresh = drawn_anew(given.seed, given.runs, given.work, folders)
    else:
        parser.error("name --work, or --parts")
    past = shipped_library().untampered
    past = past.select(~np.isin(past.first_rows, fresh.first_rows))  # which they joined later
    images = past.select(of_images(past))
    own = images.in_features
    nets = np.array([config["net"] for config in own.configs])
    rng = np.random.default_rng(given.seed)
    groups = {
        "fold left out": rng.permutation(np.arange(len(own)) % 8),
        "data set left out": own.data,
        "architecture left out": nets,
    }
    found: dict[str, Any] = {
        f"past runs, {name}": figures(left_out(own, group), healthy_of(own))
        for name, group in groups.items()
    }
    healthy, p = healthy_of(fresh), judged(fresh, past)
    labels = np.array([fresh.label_of(k) for k in range(len(fresh))])
    clear = np.isin(labels, ("healthy", "collapsed"))
    found |= {
        "labels drawn anew": dict(Counter(labels.tolist())),
        "drawn anew": figures(p, healthy),
        **{
            f"drawn anew, {d}": figures(p[fresh.data == d], healthy[fresh.data == d])
            for d in np.unique(fresh.data)
        },
        "drawn anew, healthy against collapsed": figures(p[clear], healthy[clear]),
        "drawn anew, P(healthy) of each label at its 10, 50 and 90 %": {
            label: np.quantile(p[labels == label], [0.1, 0.5, 0.9]).round(3).tolist()
            for label in np.unique(labels).tolist()
        },
        "margin": BY_FEATURES,
    }
    joined = fresh.with_figures(past.names)
    for look in (0, 1, 2):
        ahead = forecast(past, joined, look, series_only=False)
        found[f"drawn anew, forecast with samples at {FRACTIONS[look]}"] = figures(ahead, healthy)
    name = "verdicts_on_images" if given.parts is None else "verdicts_on_images_parts"
    write_result(name, found, {"draws": given.seed, "bootstrap": 0})


if __name__ == "__main__":
    main()
