"""Inputs of forecasts, from what a run has recorded so far."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dlcc.forecast.diffusion import fit_diffusion
from dlcc.health.curves import Curves, run_vector
from dlcc.health.good import GoodModel
from dlcc.health.judgeable import enough_rows
from dlcc.health.samples import sample_figure
from dlcc.health.windows import window_features
from dlcc.kinds import TrainingKind
from dlcc.past_runs.store import FRACTIONS
from dlcc.records import Diffusion, HealthRecord, Series

_QUARTER = 0.25
_EARLIER = 0.95  # times what is there now: a fraction that is nearly that is the present
_MOST_POINTS = 200


def earlier_vectors(
    series: Series, health: HealthRecord, good: GoodModel, length: int, kind: TrainingKind
) -> dict[float, Mapping[str, float]]:
    """Feature vectors that the run had at the library's fractions before the present.

    There is none for a fraction at which the run had recorded too little to be judged.
    """
    series_only = len(health.figures) == 0
    vectors: dict[float, Mapping[str, float]] = {}
    for seen in FRACTIONS:
        until = round(seen * length)
        past = series.before(until)
        figures = None if series_only else health.figures[health.checkpoints <= until]
        enough = enough_rows(past) and (figures is None or len(figures) > 0)
        if seen < _EARLIER * health.seen and enough:
            windows = window_features(past, until, kind)
            curves = Curves(windows, figures, kind, health.relative)
            vectors[seen] = run_vector(curves, good(curves))
    return vectors


def spreading(series: Series, health: HealthRecord, length: int) -> Diffusion | None:
    """Fit a diffusion curve to the coverage of a run, and carry it on by a quarter of the length.

    Coverage is the share of the training data that samples come near (k-nearest-neighbour recall),
    or else a logged quantity named `quality` or `coverage` within [0, 1].
    """
    horizon = health.seen + _QUARTER
    if len(health.figures):
        times = health.checkpoints / length
        return fit_diffusion(times, sample_figure(health.figures, "recall"), horizon)
    for name, column in series.columns.items():
        if name.rpartition("/")[2] in ("quality", "coverage"):
            finite = column.values[np.isfinite(column.values)]
            if len(finite) and finite.min() >= 0 and finite.max() <= 1:
                stride = -(-len(column.steps) // _MOST_POINTS)
                at = slice(None, None, stride)
                return fit_diffusion(column.steps[at] / length, column.values[at], horizon)
    return None
