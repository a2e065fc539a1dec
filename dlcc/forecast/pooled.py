"""Pooled forecaster: forecasts by past runs of several sorts, averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcc.estimate import Estimate
from dlcc.forecast.forecaster import Forecaster, Prediction, weighted
from dlcc.forecast.forest import OutcomeForest
from dlcc.forecast.recalibration import Recalibration
from dlcc.forecast.rest import Hazard, hazard_of
from dlcc.past_runs.similarity import Space


@dataclass(frozen=True)
class PooledForecaster:
    """Forecasters of past runs of several sorts, whose forecasts are averaged."""

    parts: tuple[Forecaster, ...]
    """Forecasters; the first is of the past runs that are most alike, which distances and effects
    are from."""
    shares: tuple[float, ...]
    """Weight of each part, above 0; they sum to 1."""
    recalibration: Recalibration | None = None
    """Recalibration by the user's own runs; None where they are too few."""

    @property
    def space(self) -> Space:
        """Space of the past runs that are most alike."""
        return self.parts[0].space

    @property
    def forest(self) -> OutcomeForest:
        """Forest of the past runs that are most alike."""
        return self.parts[0].forest

    def __call__(self, vector: Mapping[str, float], config: Mapping[str, Any]) -> Prediction:
        """Forecast one run from its feature vector and its configuration."""
        plain = self._averaged(vector, config)
        if self.recalibration is None:
            return plain
        tilted = self._averaged(vector, config, self.recalibration.tilt(plain.p_healthy.mean))
        return replace(tilted, p_healthy=self.recalibration.of_estimate(plain.p_healthy))

    def _averaged(
        self, vector: Mapping[str, float], config: Mapping[str, Any], tilt: float = 0.0
    ) -> Prediction:
        """Average the parts' forecasts."""
        found = [
            part.many(part.space.raw_of(vector, config)[None, :], tilt)[0] for part in self.parts
        ]
        probabilities = {
            name: sum(
                share * one.probabilities.get(name, 0.0)
                for share, one in zip(self.shares, found, strict=True)
            )
            for name in found[0].probabilities
        }
        return Prediction(
            probabilities=probabilities,
            p_healthy=mixture([one.p_healthy for one in found], self.shares),
            stability=mixture([one.stability for one in found], self.shares),
            next_quarter=mixture([one.next_quarter for one in found], self.shares),
            distance=found[0].distance,
            hazard=_mean_hazard([one.hazard for one in found], self.shares),
            best=next((one.best for one in found if one.best is not None), None),
        )


def mixture(estimates: Sequence[Estimate], shares: Sequence[float]) -> Estimate:
    """Distribution that is each of several with the probability of its share.

    >>> low, high = Estimate.exactly(0.2), Estimate.exactly(0.8)
    >>> round(mixture([low, high], [0.75, 0.25]).mean, 2)
    0.35
    """
    drawn = [estimate.sample("mixture") for estimate in estimates]
    weights = [
        np.full(len(draws), share / len(draws)) for draws, share in zip(drawn, shares, strict=True)
    ]
    return weighted(np.concatenate(drawn), np.concatenate(weights))


def _mean_hazard(hazards: Sequence[Hazard | None], shares: Sequence[float]) -> Hazard | None:
    """Hazards of a run that is of each sort with the probability of its share."""
    lasting = [hazard.lasting for hazard in hazards if hazard is not None]
    if len(lasting) < len(hazards):
        return None
    return hazard_of(np.average(lasting, axis=0, weights=shares))
