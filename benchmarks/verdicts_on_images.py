"""Verdicts with samples on the GANs on images among past runs, which no verdict is learnt from.

python benchmarks/verdicts_on_images.py

Labels come from classifiers of the data. All count, those near the mark too; beside them healthy
runs against collapsed ones alone. Intervals are bootstrapped over runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from common import write_result
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dlcc.past_runs.health_model import HealthModel
from dlcc.past_runs.in_use import shipped_library
from dlcc.scoring.decision import BY_SAMPLES

DRAWS = 1_000


def figures(p: NDArray[np.float64], healthy: NDArray[np.bool_]) -> dict[str, Any]:
    """AUROC with its 90 % interval, Brier score, and what is said in words."""
    rng = np.random.default_rng(0)
    drawn = [k for k in rng.integers(len(p), size=(DRAWS, len(p))) if 0 < healthy[k].sum() < len(p)]
    low, high = np.quantile([roc_auc_score(healthy[k], p[k]) for k in drawn], [0.05, 0.95])
    sure = np.abs(p - 0.5) >= BY_SAMPLES
    return {
        "runs": len(p),
        "auroc": [round(float(x), 3) for x in (roc_auc_score(healthy, p), low, high)],
        "brier": round(float(np.mean((p - healthy) ** 2)), 3),
        "in words": round(float(sure.mean()), 3),
        "wrong in words": round(float(((p > 0.5) != healthy)[sure].mean()), 3),
    }


def main() -> None:
    """Judge every run at the end of its record."""
    past = shipped_library()
    own = past.untampered.in_features
    model = HealthModel(past, series_only=False)
    p = np.array(
        [
            model.labels({n: v for n, v in zip(own.names, row, strict=True) if np.isfinite(v)})[
                "healthy"
            ]
            for row in own.vectors[:, -1]
        ]
    )
    labels = np.array([own.label_of(run) for run in range(len(own))])
    healthy, clear = labels == "healthy", np.isin(labels, ("healthy", "collapsed"))
    found: dict[str, Any] = {
        "all": figures(p, healthy),
        **{d: figures(p[own.data == d], healthy[own.data == d]) for d in np.unique(own.data)},
        "healthy against collapsed": figures(p[clear], healthy[clear]),
        "P(healthy) of each label at its 10, 50 and 90 %": {
            label: np.quantile(p[labels == label], [0.1, 0.5, 0.9]).round(3).tolist()
            for label in np.unique(labels).tolist()
        },
    }
    write_result("verdicts_on_images", found, {"bootstrap": 0})


if __name__ == "__main__":
    main()
