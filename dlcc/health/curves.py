"""Feature vector of a run, which verdicts are made of, from figures at sample steps and in windows.

Good, healthy, oscillating, collapsed and diverged are words with definitions (docs/health.md); the
vector holds estimates of what they speak of, made from records alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.health.definitions import (
    deviation_from_trend,
    is_diverged,
    label_probabilities,
    last_fifth,
    last_four,
    last_quarter,
    second_half,
    swing_around_bend,
)
from dlcc.health.samples import LOST, SAMPLE_FEATURES, sample_figure
from dlcc.health.windows import PLAYERS, WINDOW_FEATURES, window_figure
from dlcc.kinds import TrainingKind
from dlcc.kinds.gan import GAN
from dlcc.typing import Floats

DIVERGED_REACH = 10.0  # times the extent of the training data, in the last fifth
_LARGEST, _LEAST_GOOD = 9.0, 1e-3
SHRUNK = math.log(1 / 400)  # variance of samples over that of the data: a twentieth of its extent

SERIES_ONLY_OWN = (
    "good_half",
    "good_quarter",
    "good_last",
    "good_best",
    "good_swing",
    "good_trend",
    "diverged",
)
"""Figures that differ between a run with samples and the same run without; the other figures are
equal or missing."""
OF_ROWS_AS_GIVEN = ("imbalance_last", "frechet_last", "recall_last", "density_last")
"""Figures that past runs have of samples compared as rows are given, and of no others."""
IN_FEATURES = (
    *(f"space_{name}_{what}" for name in SAMPLE_FEATURES for what in ("last", "change", "swing")),
    "space_good_last",
    "space_good_best",
    "space_good_change",
)
"""Figures of runs whose samples are compared in a space of features, which others lack: level of
the last four sample steps, change since the first, deviation, and the logarithm of P(good)."""
NEEDS_SAMPLES = (
    "coverage_last",
    "quality_last",
    "swing",
    "imbalance_last",
    "frechet_last",
    "recall_last",
    "density_last",
    "reach_last",
    "samples_lost",
    "rule_healthy",
    "rule_weak",
    "rule_oscillating",
    "rule_collapsed",
    "rule_diverged",
    *IN_FEATURES,
)
"""Figures that a run without samples lacks."""


@dataclass(frozen=True)
class Curves:
    """Record of a run as figures over time."""

    windows: Floats
    """Figures `WINDOW_FEATURES` in equal windows, [w, 11]."""
    samples: Floats | None
    """Figures `SAMPLE_FEATURES` at sample steps, [c, 8]; None where no samples were recorded."""
    kind: TrainingKind = GAN
    """Kind of the training."""
    relative: bool = False
    """Whether the samples' figures are relative to those of held-out real rows, in a space of
    features (`FeatureReference`)."""

    @property
    def shrunk(self) -> NDArray[np.bool_]:
        """Whether samples are as good as one point, and the kind calls that collapsed, [c]."""
        assert self.samples is not None
        return (sample_figure(self.samples, "spread") < SHRUNK) & self.kind.shrinks_to_a_point


def run_vector(curves: Curves, good: Floats) -> dict[str, float]:
    """Compute the named figures of a run; `good` [c or w] is P(good) over time.

    Figures of what a record lacks are missing: what is absent is not 0.
    """
    vector = {**_good_vector(good), **_window_vector(curves.windows)}
    if curves.samples is not None:
        vector |= _sample_vector(curves.samples)
        if curves.relative:  # past runs have other figures under these names
            vector |= dict.fromkeys(OF_ROWS_AS_GIVEN, math.nan)
            vector |= _in_features(curves.samples, good)
    vector["diverged"] = float(_is_diverged(vector, curves.kind))
    if curves.samples is not None:
        probabilities = label_probabilities(
            diverged=vector["diverged"],
            swing=vector["swing"],
            coverage=vector["coverage_last"],
            good_share=vector["good_quarter"],
            shrunk=bool(last_quarter(curves.shrunk).all()),
        )
        vector |= {f"rule_{label}": p for label, p in probabilities.items()}
    return {name: value for name, value in vector.items() if math.isfinite(value)}


def _good_vector(good: Floats) -> dict[str, float]:
    """Level, swing and trend of P(good)."""
    half, quarter = second_half(good), last_quarter(good)
    return {
        "good_half": float(half.mean()),
        "good_quarter": float(quarter.mean()),
        "good_last": float(good[-3:].mean()),
        "good_best": float(good.max()),
        "good_swing": _swing(half),
        "good_trend": float(good[-3:].mean() - half[:3].mean()),
    }


def _sample_vector(samples: Floats) -> dict[str, float]:
    """Figures of the last samples, their swing, and whether any were lost."""
    reach = sample_figure(samples, "reach")
    last = dict(zip(SAMPLE_FEATURES, last_four(samples).mean(axis=0).tolist(), strict=True))
    return {
        "coverage_last": last["coverage"],
        "quality_last": last["quality"],
        "swing": swing_around_bend(
            sample_figure(samples, "coverage"), sample_figure(samples, "quality")
        ),
        "imbalance_last": last["imbalance"],
        "frechet_last": last["frechet"],
        "recall_last": last["recall"],
        "density_last": last["density"],
        "reach_last": float(last_fifth(reach).max()),
        "samples_lost": float(reach.max() >= sample_figure(np.array(LOST), "reach")),
    }


def _in_features(samples: Floats, good: Floats) -> dict[str, float]:
    """Figures `IN_FEATURES` of samples in a space of features, by which their ends are forecast."""
    few = min(4, len(samples))
    vector = {}
    for k, name in enumerate(SAMPLE_FEATURES):
        values = np.clip(samples[:, k], -_LARGEST, _LARGEST)
        first = values[:few] if len(values) > few else values[:1]
        vector[f"space_{name}_last"] = float(values[-few:].mean())
        vector[f"space_{name}_change"] = float(values[-few:].mean() - first.mean())
        vector[f"space_{name}_swing"] = float(values.std())
    logs = np.log(good + _LEAST_GOOD)
    vector["space_good_last"] = float(logs[-few:].mean())
    vector["space_good_best"] = float(logs.max())
    vector["space_good_change"] = float(logs[-1] - logs[0])
    return vector


def _window_vector(windows: Floats) -> dict[str, float]:
    """Level in the last fifth, change against the second fifth, and swing over the second half."""
    ends, half = last_fifth(windows), second_half(windows)
    after_first = windows[len(ends) : 2 * len(ends)]
    vector = {}
    for k, name in enumerate(WINDOW_FEATURES):
        if name == "not_finite":
            continue
        last, early = ends[:, k], after_first[:, k]
        vector[f"{name}_last"] = _median(last)
        vector[f"{name}_change"] = vector[f"{name}_last"] - _median(early)
        if not name.endswith("_sd"):
            vector[f"{name}_swing"] = _swing(half[:, k])
    losses = [np.abs(window_figure(ends, f"{player}_loss")) for player in PLAYERS]
    gradients = [window_figure(ends, f"{player}_grad") for player in PLAYERS]
    vector["loss_scale"] = _median(_larger(*losses))
    vector["gradient_scale"] = _median(_larger(*gradients))
    vector["not_finite"] = float(np.nanmax(window_figure(windows, "not_finite"), initial=0.0) > 0)
    return vector


def _is_diverged(vector: dict[str, float], kind: TrainingKind) -> bool:
    """Tell it by the sizes of losses, gradients and samples, each on the scale of its figure."""
    bounds = {
        "loss_scale": math.asinh(kind.fault_above("loss")),
        "gradient_scale": math.log10(kind.fault_above("grad_norm")),
        "reach_last": math.log10(DIVERGED_REACH),
    }
    return is_diverged(
        finite=not (vector["not_finite"] or vector.get("samples_lost")),
        levels={name: vector[name] for name in bounds if math.isfinite(vector.get(name, math.nan))},
        bounds=bounds,
    )


def _larger(one: Floats, other: Floats) -> Floats:
    """Maximum of each two of [n], one of which may be missing."""
    return np.fmax(one, other)


def _median(values: Floats) -> float:
    """Median of the finite values; NaN without any."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else math.nan


def _swing(values: Floats) -> float:
    """Deviation from the trend; NaN where no value is finite."""
    return deviation_from_trend(values) if np.isfinite(values).any() else math.nan
