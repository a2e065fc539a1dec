"""Evidence by samples: the verdict where only samples tell, and why they shrank to a point."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcc.findings import Finding
from dlcc.health.definitions import HEALTHY_SHARE
from dlcc.health.run_features import RunFeatures
from dlcc.health.samples import sample_figure
from dlcc.kinds import TrainingKind
from dlcc.metrics import median_bandwidth, squared_mmd
from dlcc.records import UNTRAINED, HealthRecord, Samples, Series
from dlcc.typing import Floats

_WIDEST = 1e12
_MOST_ROWS, _POINTS = 1_000, 8  # of the data, and of the mass in one place
_NO_DIVERGENCE = 0.05  # nats, of all latents together: they carry nothing
_NEAR_THAT_LOSS = 0.25  # share of it
_LEAST_SHARE = 0.1  # of the loss at the start, for a penalty to count


def findings_of(
    record: HealthRecord,
    features: RunFeatures,
    objective: Mapping[str, Any],
    series: Series,
    samples: Samples | None,
) -> Iterator[Finding]:
    """Make the findings for a verdict, with its causes as far as the record shows them."""
    code = features.curves.kind.label(record.label).finding
    if code is None:
        return
    if record.label == "diverged":
        message = "Losses, gradients or samples are not finite, or out of all bounds."
        yield _finding(code, message, {}, record.onset, features)
    elif record.label == UNTRAINED:
        message = "No sample step was good, and the samples still get better at the end."
        yield _finding(code, message, _of_misses(record), None, features)
    elif not features.series_only and features.curves.shrunk[-1]:
        causes = [
            *(() if samples is None else _wide_kernel(objective, series, samples)),
            *_penalty(series),
            *_posterior_collapse(features.curves.kind, series),
        ]
        spread = float(np.exp(sample_figure(record.figures, "spread")[-1] / 2))
        first = int(features.steps[_stretch_start(features.curves.shrunk)])
        message = f"Samples are spread {spread:.2g} times as far as the data."
        evidence = {"spread": spread}
        for words, figures in causes:
            message, evidence = f"{message} {words}", evidence | figures
        yield _finding("GEN001", message, evidence, first, features)
    else:
        yield _finding(code, _how_far_off(record), _of_misses(record), record.onset, features)


def _finding(
    code: str, message: str, evidence: dict[str, float], first: int | None, features: RunFeatures
) -> Finding:
    last = None if first is None else features.recorded
    rounded = {name: float(f"{value:.4g}") for name, value in evidence.items()}
    return Finding(code, message, first_step=first, last_step=last, evidence=rounded)


def _how_far_off(record: HealthRecord) -> str:
    figures = record.features
    good = (
        f"Of the last quarter's sample steps {100 * figures['good_quarter']:.0f} % are good (mark: "
        f"{100 * HEALTHY_SHARE:.0f} %)"
    )
    if "coverage_last" not in figures:
        return f"{good}."
    return (
        f"{good}; over the last four sample steps samples reach "
        f"{100 * figures['coverage_last']:.0f} % of the data's regions, and "
        f"{100 * figures['quality_last']:.0f} % of them lie among the data."
    )


def _of_misses(record: HealthRecord) -> dict[str, float]:
    names = ("good_quarter", "coverage_last", "quality_last", "swing")
    return {name: record.features[name] for name in names if name in record.features}


Cause = tuple[str, dict[str, float]]
"""Cause in words, with its figures."""


def _wide_kernel(objective: Mapping[str, Any], series: Series, samples: Samples) -> Iterator[Cause]:
    """Find a discrepancy with a kernel so wide that a point is nearly as good as the data."""
    width = _width(objective)
    if samples.reference is None or width is None:
        return
    recorded = _ends(series, "mmd")
    if recorded is None:
        return
    rows = samples.reference.reshape(len(samples.reference), -1)
    rows = rows[:: -(-len(rows) // _MOST_ROWS)]
    try:
        of_point, median = loss_of_a_point(rows, width)
    except ValueError:  # most rows are copies of each other
        return
    if width < median or abs(recorded[1] - of_point) > _NEAR_THAT_LOSS * of_point:
        return
    yield (
        f"The discrepancy ends at {recorded[1]:.3g}, and beside a kernel of width {width:g} the "
        f"data's mean alone has {of_point:.3g}; their median squared distance is {median:.3g}.",
        {
            "kernel_width": width,
            "median_squared_distance": median,
            "loss_of_a_point": of_point,
            "discrepancy_last": recorded[1],
        },
    )


def _width(objective: Mapping[str, Any]) -> float | None:
    """Width that the objective declares; None where it is no number."""
    width = objective.get("kernel_width")
    if isinstance(width, bool) or not isinstance(width, int | float):
        return None
    return float(width) if 0 < width < _WIDEST else None


def loss_of_a_point(rows: Floats, width: float) -> tuple[float, float]:
    """Compute MMD² between rows [n, d] and all mass at their mean, kernel exp(−‖x − y‖²/width).

    Returns it with the median squared distance of rows.
    """
    points = np.broadcast_to(rows.mean(axis=0), (_POINTS, rows.shape[1]))
    return squared_mmd(points, rows, gamma=1 / width).value, median_bandwidth(rows)


def _penalty(series: Series) -> Iterator[Cause]:
    """Find a penalty on the weights that shrank them."""
    ends, losses = _ends(series, "penalty"), _ends(series, "loss")
    if ends is None or losses is None or not 0 <= ends[1] < ends[0] / 2 or not losses[0] > 0:
        return
    share = ends[0] / losses[0]
    if share < _LEAST_SHARE:
        return
    yield (
        f"The penalty on the weights is {100 * share:.0f} % of the loss at the start and falls "
        f"from {ends[0]:.3g} to {ends[1]:.3g}.",
        {"penalty_share_first": share, "penalty_first": ends[0], "penalty_last": ends[1]},
    )


def _posterior_collapse(kind: TrainingKind, series: Series) -> Iterator[Cause]:
    """Find latents that carry nothing."""
    ends = _ends(series, "kl")
    if not kind.has("kl") or ends is None or ends[1] > _NO_DIVERGENCE:
        return
    yield (
        f"The divergence of the latents from their prior ends at {ends[1]:.2g} nats: they carry "
        "nothing of the data (posterior collapse), and the decoder gives their mean.",
        {"divergence_first": ends[0], "divergence_last": ends[1]},
    )


def _ends(series: Series, quantity: str) -> tuple[float, float] | None:
    """Compute medians of the only player's quantity over the first and the last twentieth."""
    for name, column in series.columns.items():
        if name.rpartition("/")[2] == quantity:
            values = column.values[np.isfinite(column.values)]
            few = -(-len(values) // 20)
            if few:
                return float(np.median(values[:few])), float(np.median(values[-few:]))
    return None


def _stretch_start(holds: NDArray[np.bool_]) -> int:
    """Index where the stretch of True that lasts to the end begins."""
    broken = np.flatnonzero(~holds)
    return int(broken[-1]) + 1 if len(broken) else 0
