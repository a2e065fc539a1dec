"""Prediction of how a rerun will end, from what it recorded so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlcc.estimate import Estimate
from dlcc.forecast.forecasters import Forecasters
from dlcc.health.curves import Curves, run_vector
from dlcc.health.feature_reference import FeatureReference
from dlcc.health.samples import sample_features
from dlcc.health.windows import stops_being_finite, window_features
from dlcc.past_runs.in_use import forecast_runs
from dlcc.past_runs.store import Library
from dlcc.reruns.outcome import Judge, Recorded

_LOST = Estimate.beta(0.5, 20.0)
"""P(healthy) of a training that stopped being finite."""


@dataclass(frozen=True)
class Predictor:
    """Predictor of the ends of the reruns of one run."""

    judge: Judge
    """Judge of reruns that came to their end."""
    past: Library | None = None
    """Past runs to go by; by default those that forecasts of the kind go by."""

    @cached_property
    def _forecasters(self) -> Forecasters:
        return Forecasters(forecast_runs(self.judge.kind) if self.past is None else self.past)

    def __call__(
        self, recorded: Recorded, done: int, length: int, config: Mapping[str, Any]
    ) -> Estimate:
        """Predict P(healthy) of a rerun.

        Args:
            recorded: Its record so far.
            done: Number of its steps that are done.
            length: Number of its steps.
            config: Its configuration, with the names that past runs have.

        Returns:
            P(healthy) at the end, with its uncertainty.
        """
        judge = self.judge
        if stops_being_finite(recorded.series, judge.kind):
            return _LOST
        samples = None
        if judge.reference is not None:
            samples = np.array([sample_features(x, judge.reference) for x in recorded.samples])
        relative = isinstance(judge.reference, FeatureReference)
        windows = window_features(recorded.series, done, judge.kind)
        curves = Curves(windows, samples, judge.kind, relative)
        vector = run_vector(curves, judge.library.good(curves))
        forecaster = self._forecasters.at(
            done / length, vector, config, series_only=judge.reference is None
        )
        return forecaster(vector, config).p_healthy
