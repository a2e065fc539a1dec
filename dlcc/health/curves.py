"""From figures at checkpoints and in windows to the vector of a run that verdicts are made of.

Good, healthy, oscillating, collapsed and diverged are words with definitions (docs/health.md); the
vector holds estimates of what they speak of, made from records alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.health.samples import LOST, SAMPLE_FEATURES
from dlcc.health.windows import WINDOW_FEATURES
from dlcc.kinds import TrainingKind
from dlcc.kinds.gan import GAN
from dlcc.typing import Floats

_REACH, _SPREAD = SAMPLE_FEATURES.index("reach"), SAMPLE_FEATURES.index("spread")

DIVERGED_REACH = 10.0  # times the extent of the training data, in the last fifth
OSCILLATING_SWING = 0.13  # deviation of coverage or quality around their trend, second half
COLLAPSED_COVERAGE = 0.5  # mean of the last four checkpoints
HEALTHY_SHARE = 0.8  # of good checkpoints in the last quarter
SHRUNK = math.log(1 / 400)  # variance of samples over that of the data: a twentieth of its extent
_HALF_A_CHECKPOINT = 0.05  # of the ten in the last quarter: a mark of 8 parts 7 from 8
# Scales of logistic errors, of the deviations between records and truth: sd = π/√3·scale
_SWING_ERROR, _COVERAGE_ERROR, _SHARE_ERROR = 0.01, 0.03, 0.03


@dataclass(frozen=True)
class Curves:
    """A run as figures over time; `samples` is None where none were recorded."""

    windows: Floats
    """`WINDOW_FEATURES` in equal windows, [w, 11]."""
    samples: Floats | None
    """`SAMPLE_FEATURES` at checkpoints, [c, 8]."""
    kind: TrainingKind = GAN

    @property
    def shrunk(self) -> NDArray[np.bool_]:
        """Where samples are as good as one point, and the kind calls that collapsed, [c]."""
        assert self.samples is not None
        return (self.samples[:, _SPREAD] < SHRUNK) & self.kind.shrinks_to_a_point


def smooth(values: Floats) -> Floats:
    """Mean over three neighbours along the first axis; over those that are there at the ends."""
    sums = values.copy()
    sums[1:] += values[:-1]
    sums[:-1] += values[1:]
    counts = np.full(len(values), 3.0)
    counts[[0, -1]] = 2.0 if len(values) > 1 else 1.0
    return np.asarray(sums / counts.reshape(-1, *[1] * (values.ndim - 1)))


def run_vector(curves: Curves, good: Floats) -> dict[str, float]:
    """Named figures of a run; `good` [c or w] is P(good) over time."""
    vector = {**_good_vector(good), **_window_vector(curves.windows)}
    if curves.samples is not None:
        vector |= _sample_vector(curves.samples)
    vector["diverged"] = float(_is_diverged(vector, curves.kind))
    if curves.samples is not None:
        quarter = curves.shrunk[-max(1, len(good) // 4) :]
        vector |= _by_definition(vector, shrunk=bool(quarter.all()))
    return vector


def _good_vector(good: Floats) -> dict[str, float]:
    half, quarter = good[len(good) // 2 :], good[-max(1, len(good) // 4) :]
    return {
        "good_half": float(half.mean()),
        "good_quarter": float(quarter.mean()),
        "good_last": float(good[-3:].mean()),
        "good_best": float(good.max()),
        "good_swing": deviation_from_trend(half),
        "good_trend": float(good[-3:].mean() - half[:3].mean()),
    }


def _sample_vector(samples: Floats) -> dict[str, float]:
    half, fifth = samples[len(samples) // 2 :], samples[-max(1, len(samples) // 5) :]
    last = dict(zip(SAMPLE_FEATURES, samples[-4:].mean(axis=0).tolist(), strict=True))
    return {
        "coverage_last": last["coverage"],
        "quality_last": last["quality"],
        "swing": max(deviation_from_trend(half[:, 0]), deviation_from_trend(half[:, 1])),
        "imbalance_last": last["imbalance"],
        "frechet_last": last["frechet"],
        "recall_last": last["recall"],
        "density_last": last["density"],
        "reach_last": float(fifth[:, _REACH].max()),
        "samples_lost": float(samples[:, _REACH].max() >= LOST[_REACH]),
    }


def _window_vector(windows: Floats) -> dict[str, float]:
    """Level in the last fifth, change against the second fifth, and swing over the second half."""
    fifth, half = max(1, len(windows) // 5), windows[len(windows) // 2 :]
    vector = {}
    for k, name in enumerate(WINDOW_FEATURES):
        if name == "not_finite":
            continue
        last, early = windows[-fifth:, k], windows[fifth : 2 * fifth, k]
        vector[f"{name}_last"] = _median(last)
        vector[f"{name}_change"] = vector[f"{name}_last"] - _median(early)
        if not name.endswith("_sd"):
            vector[f"{name}_swing"] = deviation_from_trend(half[:, k])
    losses = np.abs(windows[-fifth:, [0, 2]])
    gradients = windows[-fifth:, [4, 6]]
    vector["loss_scale"] = _median(_larger(losses))
    vector["gradient_scale"] = _median(_larger(gradients))
    vector["not_finite"] = float(np.nanmax(windows[:, -1], initial=0.0) > 0)
    return vector


def _is_diverged(vector: dict[str, float], kind: TrainingKind) -> bool:
    """Not finite somewhere, or losses, gradients or samples of the last fifth out of all bounds."""
    return bool(
        vector["not_finite"]
        or vector.get("samples_lost")
        or vector["loss_scale"] > math.asinh(kind.fault_above("loss"))
        or vector["gradient_scale"] > math.log10(kind.fault_above("grad_norm"))
        or vector.get("reach_last", 0.0) > math.log10(DIVERGED_REACH)
    )


def _by_definition(vector: dict[str, float], *, shrunk: bool) -> dict[str, float]:
    """Probability of each label from the definitions, the first that fits, under the errors.

    Samples that shrank to a point have collapsed, whatever becomes of the point.
    """
    share_mark = HEALTHY_SHARE - _HALF_A_CHECKPOINT
    diverged = vector["diverged"]
    swings = 0.0 if shrunk else _above(vector["swing"], OSCILLATING_SWING, _SWING_ERROR)
    lost = 1.0 if shrunk else _above(COLLAPSED_COVERAGE, vector["coverage_last"], _COVERAGE_ERROR)
    sound = _above(vector["good_quarter"], share_mark, _SHARE_ERROR)
    oscillating = (1 - diverged) * swings
    collapsed = (1 - diverged) * (1 - swings) * lost
    rest = (1 - diverged) * (1 - swings) * (1 - lost)
    return {
        "rule_healthy": rest * sound,
        "rule_weak": rest * (1 - sound),
        "rule_oscillating": oscillating,
        "rule_collapsed": collapsed,
        "rule_diverged": diverged,
    }


def _above(value: float, mark: float, error: float) -> float:
    """P(value > mark) of a value measured with a logistic error."""
    return 1 / (1 + math.exp(-max(-40.0, min(40.0, (value - mark) / error))))


def deviation_from_trend(values: Floats) -> float:
    """Deviation around the least-squares line of the finite values; 0 for fewer than three."""
    at = np.flatnonzero(np.isfinite(values))
    if len(at) < 3:
        return 0.0
    slope, level = np.polyfit(at, values[at], 1)
    return float(np.std(values[at] - slope * at - level))


def _larger(pairs: Floats) -> Floats:
    """The larger of each pair [n, 2], one of which may be missing."""
    return np.where(np.isnan(pairs).all(axis=1), np.nan, np.fmax(pairs[:, 0], pairs[:, 1]))


def _median(values: Floats) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else 0.0
