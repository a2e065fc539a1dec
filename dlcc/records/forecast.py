"""Forecast of how a run will end, as the impact stage makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dlcc.codec import Array
from dlcc.estimate import Estimate


@dataclass(frozen=True)
class FeatureEffect:
    """Effect of a feature on a forecast."""

    feature: str
    value: float | None
    effect: float
    """Change of P(healthy) by the feature, against the mean over the library."""


@dataclass(frozen=True)
class Diffusion:
    """Curve of spreading quality, fitted to what the run has of it."""

    curve: Literal["bass", "logistic"]
    parameters: tuple[float, ...]
    """Parameters of the curve; bass: ceiling, innovation, imitation; logistic: ceiling, rate,
    middle."""
    residual: float
    """Standard deviation of the observed shares around the curve."""
    times: Array
    """Times [n] of the observations, as shares of the configured length."""
    observed: Array
    """Share [n] of the training data that samples come near, or a logged quality."""
    fitted: Array
    """Value [n] of the curve at `times`."""
    horizon: float
    """Share of the configured length to which the curve is carried."""
    expected: float
    """Value of the curve at the horizon."""
    interval: tuple[float, float]
    """Interval of 90 % at the horizon, for the parameters, the scatter around the curve, and how
    far trainings leave their curves."""


@dataclass(frozen=True)
class ForecastPoint:
    """Forecast as it was when the share `seen` of the length was there."""

    seen: float
    p_healthy: Estimate
    stability: Estimate


@dataclass(frozen=True)
class Forecast:
    """Forecast of how the run ends, from what past runs like it came to."""

    seen: float
    """Share of the configured length that the record has."""
    probabilities: Mapping[str, float]
    """Probability of each label."""
    p_healthy: Estimate
    stability: Estimate
    next_quarter: Estimate
    """Share of good sample steps in the next quarter of the configured length."""
    distance: float
    """Distance from past runs; above 1 is outside of the library, and the intervals are wider."""
    moved: tuple[FeatureEffect, ...]
    """Features that moved the forecast most."""
    over_time: tuple[ForecastPoint, ...]
    """Forecasts over time, ascending in `seen`; the last one is the present."""
    diffusion: Diffusion | None
    """Curve of coverage or quality, where one was recorded over time."""
